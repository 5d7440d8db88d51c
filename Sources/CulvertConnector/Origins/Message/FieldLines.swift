import HTTPSemantics

/// Field lines of a head or trailer section (RFC 9112 §5).
enum FieldLines {
    /// Reads `bytes`: lines that end in CRLF, the empty one that closes the section included.
    static func parse(
        _ bytes: UnsafeRawBufferPointer,
        _ lineCount: Int
    ) -> Result<HTTPFields, ResponseFault> {
        var fields = HTTPFields()
        guard lineCount > 0 else { return .success(fields) }
        guard lineCount <= OriginLimits.fieldCount else { return .failure(.tooManyFields) }
        fields.reserveCapacity(lineCount)
        var start = 0
        for _ in 0..<lineCount {
            guard let end = bytes.firstIndex(ofByte: ASCII.lf, from: start) else {
                return .failure(.badLineEnd)
            }
            guard let field = Self.field(UnsafeRawBufferPointer(rebasing: bytes[start..<(end - 1)]))
            else {
                return .failure(.badField)
            }
            fields.storage.append(field)
            start = end + 1
        }
        return .success(fields)
    }

    /// One line without its CRLF; nil when it is no field, obs-fold included (RFC 9112 §5.2).
    private static func field(_ line: UnsafeRawBufferPointer) -> HTTPFields.Field? {
        guard let colon = line.firstIndex(of: ASCII.colon) else { return nil }
        var nameEnd = colon
        while nameEnd > 0, Self.isBlank(line[nameEnd - 1]) { nameEnd -= 1 }
        guard nameEnd > 0 else { return nil }
        for index in 0..<nameEnd where !line[index].isToken { return nil }

        var start = colon + 1
        var end = line.count
        while start < end, Self.isBlank(line[start]) { start += 1 }
        while end > start, Self.isBlank(line[end - 1]) { end -= 1 }
        let value = UnsafeRawBufferPointer(rebasing: line[start..<end])
        guard value.isFieldValue else { return nil }
        return (
            String(octets: UnsafeRawBufferPointer(rebasing: line[..<nameEnd])),
            String(octets: value)
        )
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == ASCII.space || byte == ASCII.tab }
}
