package import HTTPSemantics
package import NIOHPACK

extension HPACKHeaders {
    /// Adds a field, its name in lower case (RFC 9113 §8.2). Neither part is checked.
    package mutating func add(_ field: HTTPFields.Field, indexing: HPACKIndexing = .indexable) {
        self.add(
            name: field.name.asciiLowercased,
            value: field.value.readableText,
            indexing: indexing
        )
    }
}

extension String {
    /// a–z for A–Z; itself, without a copy, when it has none.
    fileprivate var asciiLowercased: String {
        guard self.utf8.contains(where: { (0x41...0x5A).contains($0) }) else { return self }
        return String(decoding: self.utf8.map(\.asciiLowercased), as: UTF8.self)
    }
}
