/// The elements of a comma-separated field value, trimmed, empty ones skipped (RFC 9110 §5.6.1.2).
///
/// For lists of tokens: a comma inside a quoted string would split it.
package struct FieldListElements: Sequence, IteratorProtocol {
    private var rest: Substring.UTF8View

    /// For the value of one field line; the elements are views of it, not copies.
    package init(_ value: String) { self.rest = value[...].utf8 }

    /// The next element, never empty; nil at the end.
    package mutating func next() -> Substring.UTF8View? {
        while !self.rest.isEmpty {
            let end = self.rest.firstIndex(of: 0x2C) ?? self.rest.endIndex
            let element = self.rest[..<end].trimmingOptionalWhitespace
            self.rest =
                end == self.rest.endIndex
                ? self.rest[end...] : self.rest[self.rest.index(after: end)...]
            if !element.isEmpty { return element }
        }
        return nil
    }
}

extension HTTPFields {
    /// Whether a list field of this name has the token, ASCII case aside.
    ///
    /// - Parameters:
    ///   - name: The field's name in lower case.
    ///   - token: The token in lower case.
    /// - Returns: True when any line of the field has it.
    package func listContains(_ name: StaticString, _ token: StaticString) -> Bool {
        for field in self.storage where field.name.isField(name) {
            for element in FieldListElements(field.value) where element.equalsLowercase(token) {
                return true
            }
        }
        return false
    }

    /// The value of a field that must stand alone: nil when there is none or more than one.
    func single(_ name: StaticString) -> String? {
        var found: String?
        for field in self.storage where field.name.isField(name) {
            guard found == nil else { return nil }
            found = field.value
        }
        return found
    }
}
