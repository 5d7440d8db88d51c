@testable import HTTPSemantics

extension RequestHeadGuard {
    private static let maxChunkSizeDigits = 15
    private static let maxExtensionBytes = 256
    /// Of all chunks of a request: extensions are for nobody's use but to keep a server busy.
    private static let maxExtensionBytesPerRequest = 16 * 1024

    /// Scans what is no head: body bytes are skipped, chunk lines are read strictly (RFC 9112 §7.1).
    mutating func scanBody(_ bytes: UnsafeRawBufferPointer, _ index: inout Int) -> Reason? {
        let byte = bytes[index]
        switch self.state {
        case .body, .chunkData:
            self.skipBody(bytes.count, &index)
            return nil
        case .chunkSizeStart, .chunkSize:
            return self.scanChunkSize(byte, &index)
        case .chunkExtension:
            return self.scanExtension(byte, &index)
        case .chunkSizeLF:
            guard byte == 0x0A else { return .bareCarriageReturn }
            self.finishChunkSize()
        case .chunkDataCR:
            guard byte == 0x0D else { return .missingChunkEnd }
            self.state = .chunkDataLF
        case .chunkDataLF:
            guard byte == 0x0A else { return .missingChunkEnd }
            self.state = .chunkSizeStart
        case .steppedAside:
            index = bytes.count
            return nil
        case .closed:
            // Some senders end a body with a surplus CRLF.
            guard byte == 0x0D || byte == 0x0A else { return .dataAfterClose }
        default:
            return .dataBeforeSwitch
        }
        index += 1
        return nil
    }

    private mutating func skipBody(_ end: Int, _ index: inout Int) {
        let available = end - index
        guard self.message.remaining <= UInt64(available) else {
            self.message.remaining -= UInt64(available)
            index = end
            return
        }
        index += Int(self.message.remaining)
        self.message.remaining = 0
        if self.state == .body {
            self.finishMessage()
        } else {
            self.state = .chunkDataCR
        }
    }

    private mutating func scanChunkSize(_ byte: UInt8, _ index: inout Int) -> Reason? {
        if self.state == .chunkSizeStart {
            self.message.count = 0
            self.message.remaining = 0
            self.state = .chunkSize
        }
        if let digit = byte.hexadecimalValue {
            guard self.message.count < Self.maxChunkSizeDigits else { return .invalidChunkSize }
            self.message.count += 1
            self.message.remaining = self.message.remaining << 4 | UInt64(digit)
        } else if self.message.count > 0, byte == 0x0D {
            self.state = .chunkSizeLF
        } else if self.message.count > 0, byte == 0x3B {
            self.message.count = 0
            self.state = .chunkExtension
        } else {
            return byte == 0x0A ? .bareLineFeed : .invalidChunkSize
        }
        index += 1
        return nil
    }

    private mutating func scanExtension(_ byte: UInt8, _ index: inout Int) -> Reason? {
        if byte == 0x0D {
            self.state = .chunkSizeLF
        } else {
            guard byte.isVisibleASCII || byte == 0x20 else {
                return byte == 0x0A ? .bareLineFeed : .invalidChunkExtension
            }
            self.message.count += 1
            self.message.extensionBytes += 1
            guard self.message.count <= Self.maxExtensionBytes,
                self.message.extensionBytes <= Self.maxExtensionBytesPerRequest
            else { return .chunkExtensionTooLong }
        }
        index += 1
        return nil
    }

    private mutating func finishChunkSize() {
        if self.message.remaining > 0 {
            self.state = .chunkData
        } else {
            self.message.inTrailers = true
            self.message.fields = 0
            self.endSection(.lineStart)
        }
    }
}
