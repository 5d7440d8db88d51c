/// An ordered list of HTTP fields: names as they were received, duplicates and order kept.
///
/// Names compare without regard to ASCII case (RFC 9110 §5.1); nothing here validates, folds or
/// merges. Confined to nothing: a plain value.
package struct HTTPFields: Sendable {
    /// One field line; neither part is validated.
    package typealias Field = (name: String, value: String)

    /// The field lines in order.
    package var storage: [Field]

    /// No fields.
    package init() { self.storage = [] }

    /// Takes the lines as they are.
    package init(_ storage: [Field]) { self.storage = storage }

    /// Field lines; a name that comes twice counts twice.
    package var count: Int { self.storage.count }

    /// Whether there is no field line at all.
    package var isEmpty: Bool { self.storage.isEmpty }

    /// Makes room for so many lines in all, those that are there included.
    package mutating func reserveCapacity(_ count: Int) { self.storage.reserveCapacity(count) }

    /// Appends a field; one of the same name that is already there stays.
    package mutating func append(_ name: String, _ value: String) {
        self.storage.append((name, value))
    }

    /// The first value of `name`, or nil.
    package func first(_ name: String) -> String? {
        for field in self.storage where field.name.equalsIgnoringASCIICase(name) {
            return field.value
        }
        return nil
    }

    /// Every value of `name`, in order.
    package func values(_ name: String) -> [String] {
        self.storage.compactMap { $0.name.equalsIgnoringASCIICase(name) ? $0.value : nil }
    }

    /// Whether any field has `name`, ASCII case aside.
    package func contains(_ name: String) -> Bool {
        self.storage.contains { $0.name.equalsIgnoringASCIICase(name) }
    }

    /// Removes every field of `name`.
    package mutating func remove(_ name: String) {
        self.storage.removeAll { $0.name.equalsIgnoringASCIICase(name) }
    }

    /// Removes every field of `name` and appends one with `value`.
    package mutating func replace(_ name: String, _ value: String) {
        self.remove(name)
        self.append(name, value)
    }
}

extension HTTPFields: Equatable {
    /// Stricter than a look-up: order and the case of names count.
    package static func == (left: HTTPFields, right: HTTPFields) -> Bool {
        left.storage.elementsEqual(right.storage) { $0.name == $1.name && $0.value == $1.value }
    }
}

extension HTTPFields: ExpressibleByDictionaryLiteral {
    /// The literal's lines in order; duplicates stay.
    package init(dictionaryLiteral elements: (String, String)...) {
        self.storage = elements.map { (name: $0.0, value: $0.1) }
    }
}
