import HTTPSemantics

/// Finds the end of a head or of a trailer section, without reading a byte twice.
struct SectionScanner: Equatable {
    enum Result: Equatable {
        case incomplete
        /// The section, its empty line included, is `length` bytes of `lineCount` lines before it.
        case complete(length: Int, lineCount: Int)
        case fault(ResponseFault)
    }

    private var position = 0
    private var lineStart = 0
    private var lineCount = 0

    /// Goes on where it stopped: `bytes` is the section from its first byte, and at least what was
    /// given the last time.
    mutating func scan(_ bytes: UnsafeRawBufferPointer) -> Result {
        let limit = min(bytes.count, OriginLimits.headBytes)
        let looked = UnsafeRawBufferPointer(rebasing: bytes[..<limit])
        while let index = looked.firstIndex(ofByte: ASCII.lf, from: self.position) {
            self.position = index + 1
            guard index > self.lineStart, bytes[index - 1] == ASCII.cr else {
                return .fault(.badLineEnd)
            }
            if index - self.lineStart == 1 {
                return .complete(length: self.position, lineCount: self.lineCount)
            }
            self.lineStart = self.position
            self.lineCount += 1
            // The status line is a line, too.
            guard self.lineCount <= OriginLimits.fieldCount + 1 else {
                return .fault(.tooManyFields)
            }
        }
        self.position = limit
        return bytes.count > limit ? .fault(.headTooLarge) : .incomplete
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the bytes there are so far can begin a status line, so that a peer that speaks
    /// something else is found out at once.
    func starts(likeStatusLine: Void) -> Bool {
        let expected: StaticString = "HTTP/1."
        return expected.withUTF8Buffer { expected in
            let count = Swift.min(expected.count, self.count)
            return (0..<count).allSatisfy { self[$0] == expected[$0] }
        }
    }
}

/// Octets that frame a message (RFC 9112 §2).
enum ASCII {
    static let tab: UInt8 = 0x09
    static let lf: UInt8 = 0x0A
    static let cr: UInt8 = 0x0D
    static let space: UInt8 = 0x20
    static let comma: UInt8 = 0x2C
    static let colon: UInt8 = 0x3A
    static let semicolon: UInt8 = 0x3B
    static let delete: UInt8 = 0x7F
}
