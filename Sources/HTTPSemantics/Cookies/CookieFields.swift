// Cookies that an edge keeps for itself. What is not named stays as it is, byte for byte.
extension HTTPFields {
    /// Takes every cookie of `name` out of the `Cookie` fields (RFC 6265 §4.2.1).
    ///
    /// Cookies are what stands between semicolons, as browsers write and servers read them; white space
    /// around a name or a value is no part of it, and the case of a name counts. A field that had no
    /// other cookie is removed.
    ///
    /// - Returns: the values, in order.
    package mutating func takeCookies(_ name: StaticString) -> [Substring] {
        var values: [Substring] = []
        self.storage = self.storage.compactMap { field in
            guard field.name.isField("cookie") else { return field }
            var kept: [Substring] = []
            var isFirstTaken = false
            let pairs = field.value.utf8.split(separator: 0x3B, omittingEmptySubsequences: false)
            let countBefore = values.count
            for (index, pair) in pairs.enumerated() {
                if let value = Self.cookieValue(pair, of: name) {
                    values.append(value)
                    isFirstTaken = isFirstTaken || index == 0
                } else {
                    kept.append(Substring(pair))
                }
            }
            guard values.count > countBefore else { return field }
            var rest = kept.joined(separator: ";")
            if isFirstTaken {
                rest = String(Substring(rest.utf8.drop(while: \.isOptionalWhitespace)))
            }
            return rest.utf8.allSatisfy(\.isOptionalWhitespace) ? nil : (field.name, rest)
        }
        return values
    }

    /// Removes every `Set-Cookie` of a cookie of `name` (RFC 6265 §4.1.1).
    package mutating func removeSetCookies(_ name: StaticString) {
        self.storage.removeAll { field in
            guard field.name.isField("set-cookie") else { return false }
            let pair = field.value.utf8.prefix { $0 != 0x3B }
            return Self.cookieValue(pair, of: name) != nil
        }
    }

    /// The value of a `name=value` pair, if it is of this name.
    private static func cookieValue(
        _ pair: Substring.UTF8View,
        of name: StaticString
    ) -> Substring? {
        guard let equals = pair.firstIndex(of: 0x3D) else { return nil }
        let found = pair[..<equals].trimmingOptionalWhitespace
        let wanted = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        guard found.elementsEqual(wanted) else { return nil }
        return Substring(pair[pair.index(after: equals)...].trimmingOptionalWhitespace)
    }
}
