@testable import HTTPSemantics

extension RequestHeadGuard {
    private static let maxMethodBytes = 32

    /// Scans `[CRLF] METHOD SP TARGET SP HTTP/1.x CRLF` (RFC 9112 §2.2, §3) up to `end`.
    mutating func scanRequestLine(
        _ bytes: UnsafeRawBufferPointer,
        _ index: inout Int,
        _ end: Int
    ) -> Reason? {
        switch self.state {
        case .messageStart:
            if bytes[index] == 0x0D {
                self.state = .emptyLineEnd
                index += 1
                return nil
            }
            self.state = .requestStart
            return nil
        case .emptyLineEnd:
            guard bytes[index] == 0x0A else { return .bareCarriageReturn }
            self.state = .requestStart
            index += 1
            return nil
        case .requestStart:
            if let reason = Self.refusalOfFirstByte(bytes[index]) { return reason }
            self.message.count = 0
            self.state = .method
            return nil
        case .method:
            return self.scanMethod(bytes, &index, end)
        case .target:
            return self.scanTarget(bytes, &index, end)
        default:
            return self.scanVersion(bytes, &index)
        }
    }

    private static func refusalOfFirstByte(_ byte: UInt8) -> Reason? {
        switch byte {
        case 0x0D: .surplusEmptyLine
        case 0x0A: .bareLineFeed
        default: byte.isToken ? nil : .invalidMethod
        }
    }

    private mutating func scanMethod(
        _ bytes: UnsafeRawBufferPointer,
        _ index: inout Int,
        _ end: Int
    ) -> Reason? {
        let start = index
        while index < end, bytes[index].isToken {
            guard self.message.count < Self.maxMethodBytes else { return .methodTooLong }
            self.message.count += 1
            index += 1
        }
        guard index < end else {
            self.carry.append(contentsOf: bytes[start..<index])
            return nil
        }
        guard bytes[index] == 0x20 else { return .invalidMethod }
        self.message.isConnect = self.token(bytes[start..<index]) {
            $0.elementsEqual([0x43, 0x4F, 0x4E, 0x4E, 0x45, 0x43, 0x54])
        }
        self.message.count = 0
        self.state = .target
        index += 1
        return nil
    }

    private mutating func scanTarget(
        _ bytes: UnsafeRawBufferPointer,
        _ index: inout Int,
        _ end: Int
    ) -> Reason? {
        while index < end {
            let byte = bytes[index]
            guard byte.isVisibleASCII, byte != 0x23 else { break }
            guard self.message.count < self.limits.targetBytes else { return .targetTooLong }
            self.message.count += 1
            index += 1
        }
        guard index < end else { return nil }
        switch bytes[index] {
        case 0x20 where self.message.count > 0:
            self.message.count = 0
            self.state = .version
            index += 1
            return nil
        case 0x20: return .invalidRequestLine
        case 0x0D, 0x0A: return .missingVersion
        case 0x23: return .fragmentInTarget
        default: return .invalidTarget
        }
    }

    /// Scans `HTTP/1.x CRLF` byte by byte: eight, a digit, two.
    private mutating func scanVersion(
        _ bytes: UnsafeRawBufferPointer,
        _ index: inout Int
    ) -> Reason? {
        let byte = bytes[index]
        switch self.state {
        case .version:
            let expected: StaticString = "HTTP/1."
            let position = self.message.count
            if byte != expected.utf8Start[position] {
                return position == 5 && byte.isASCIIDigit
                    ? .unsupportedVersion : .invalidRequestLine
            }
            self.message.count += 1
            if self.message.count == expected.utf8CodeUnitCount { self.state = .minorVersion }
        case .minorVersion:
            guard byte.isASCIIDigit else { return .invalidRequestLine }
            guard byte <= 0x31 else { return .unsupportedVersion }
            self.message.minorVersion = byte &- 0x30
            self.state = .requestLineCR
        case .requestLineCR:
            guard byte == 0x0D else { return byte == 0x0A ? .bareLineFeed : .invalidRequestLine }
            self.state = .requestLineLF
        default:
            guard byte == 0x0A else { return .bareCarriageReturn }
            self.state = .lineStart
        }
        index += 1
        return nil
    }

    /// Hands over a whole token, however many buffers it came in, and forgets it.
    mutating func token<Result>(
        _ tail: Slice<UnsafeRawBufferPointer>,
        _ body: (Slice<UnsafeRawBufferPointer>) -> Result
    ) -> Result {
        if self.carry.isEmpty { return body(tail) }
        self.carry.append(contentsOf: tail)
        let result = self.carry.withUnsafeBytes { body($0[...]) }
        self.carry.removeAll(keepingCapacity: true)
        return result
    }
}
