@testable import HTTPSemantics

extension RequestHeadGuard {
    /// Scans field lines and the empty line after them (RFC 9112 §5), in a head or after chunks.
    mutating func scanFieldSection(
        _ bytes: UnsafeRawBufferPointer,
        _ index: inout Int,
        _ end: Int
    ) -> Reason? {
        switch self.state {
        case .lineStart:
            return self.scanLineStart(bytes[index], &index)
        case .fieldName:
            return self.scanFieldName(bytes, &index, end)
        case .fieldValue:
            return self.scanFieldValue(bytes, &index, end)
        case .fieldLF:
            guard bytes[index] == 0x0A else { return .bareCarriageReturn }
            self.state = .lineStart
        default:
            guard bytes[index] == 0x0A else { return .bareCarriageReturn }
            if let reason = self.finishSection() { return reason }
        }
        index += 1
        return nil
    }

    private mutating func scanLineStart(_ byte: UInt8, _ index: inout Int) -> Reason? {
        switch byte {
        case 0x0D:
            self.state = .sectionLF
            index += 1
            return nil
        case 0x0A: return .bareLineFeed
        case 0x20, 0x09: return self.message.fields == 0 ? .leadingWhitespace : .obsoleteFolding
        case 0x3A: return .emptyFieldName
        default:
            guard self.message.fields < self.limits.fields else { return .tooManyFields }
            self.message.fields += 1
            self.state = .fieldName
            return nil
        }
    }

    private mutating func scanFieldName(
        _ bytes: UnsafeRawBufferPointer,
        _ index: inout Int,
        _ end: Int
    ) -> Reason? {
        let start = index
        while index < end, bytes[index].isToken { index += 1 }
        guard index < end else {
            self.carry.append(contentsOf: bytes[start..<index])
            return nil
        }
        switch bytes[index] {
        case 0x3A: break
        case 0x20, 0x09: return .whitespaceBeforeColon
        case 0x0A: return .bareLineFeed
        default: return .invalidFieldName
        }
        let field = self.token(bytes[start..<index]) { Field($0) }
        if let reason = self.acceptField(field) { return reason }
        self.message.field = field
        self.state = .fieldValue
        index += 1
        return nil
    }

    /// Decides on a field by its name alone.
    private func acceptField(_ field: Field) -> Reason? {
        if field == .other { return nil }
        if self.message.inTrailers { return .forbiddenTrailer }
        switch field {
        case .host: return self.message.hasHost ? .repeatedHost : nil
        case .contentLength:
            return self.message.contentLength == nil ? nil : .repeatedContentLength
        case .transferEncoding: return self.message.isChunked ? .repeatedTransferEncoding : nil
        default: return nil
        }
    }

    private mutating func scanFieldValue(
        _ bytes: UnsafeRawBufferPointer,
        _ index: inout Int,
        _ end: Int
    ) -> Reason? {
        let start = index
        while index < end, bytes[index].isFieldValueByte { index += 1 }
        let matters = self.message.field != .other
        guard index < end else {
            if matters { self.carry.append(contentsOf: bytes[start..<index]) }
            return nil
        }
        guard bytes[index] == 0x0D else {
            return bytes[index] == 0x0A ? .bareLineFeed : .controlByte
        }
        if matters, let reason = self.acceptValue(bytes[start..<index]) { return reason }
        self.state = .fieldLF
        index += 1
        return nil
    }

    private mutating func acceptValue(_ tail: Slice<UnsafeRawBufferPointer>) -> Reason? {
        var facts = self.message
        let reason = self.token(tail) { facts.accept($0) }
        self.message = facts
        return reason
    }

    /// Decides at the empty line what comes next (RFC 9112 §6.3).
    private mutating func finishSection() -> Reason? {
        let facts = self.message
        if facts.inTrailers {
            self.finishMessage()
            return nil
        }
        if facts.minorVersion > 0, !facts.hasHost { return .missingHost }
        let length = facts.contentLength ?? 0
        if facts.isChunked {
            if facts.contentLength != nil { return .transferEncodingAndContentLength }
            if facts.minorVersion == 0 { return .transferEncodingInHTTP10 }
        }
        if facts.isConnect, facts.isChunked || length > 0 { return .contentInConnect }
        if facts.isChunked {
            self.endSection(.chunkSizeStart)
        } else if length > 0 {
            self.message.remaining = length
            self.endSection(.body)
        } else {
            self.finishMessage()
        }
        return nil
    }
}

extension RequestHeadGuard.MessageFacts {
    /// Takes in the value of `field`, OWS included.
    fileprivate mutating func accept(
        _ raw: Slice<UnsafeRawBufferPointer>
    ) -> RequestHeadGuard.Reason? {
        let value = raw.trimmingOptionalWhitespace
        switch self.field {
        case .other:
            break
        case .host:
            self.hasHost = true
        case .upgrade:
            self.hasUpgrade = self.hasUpgrade || !value.isEmpty
        case .connection, .proxyConnection:
            self.acceptConnection(value)
        case .contentLength:
            // HTAB around a framing value is lawful and unused: readers that trim spaces only differ.
            guard !raw.contains(0x09), let length = MessageFraming.contentLength(value) else {
                return .invalidContentLength
            }
            self.contentLength = length
        case .transferEncoding:
            guard !raw.contains(0x09), value.equalsLowercase("chunked") else {
                return .unsupportedTransferEncoding
            }
            self.isChunked = true
        }
        return nil
    }

    private mutating func acceptConnection(_ value: Slice<UnsafeRawBufferPointer>) {
        for element in value.split(separator: 0x2C) {
            let option = element.trimmingOptionalWhitespace
            if option.equalsLowercase("close") { self.namesClose = true }
            if option.equalsLowercase("keep-alive") { self.namesKeepAlive = true }
            if option.equalsLowercase("upgrade") { self.namesUpgrade = true }
        }
    }
}
