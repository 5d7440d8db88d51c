/// The names that a field block writes as one byte (see <doc:Protocol>).
enum FieldNameTable {
    /// Index 1…63, in the protocol's order; index 0 is unused.
    static let names: [String] = [
        "", "Accept", "Accept-Encoding", "Accept-Language", "Accept-Ranges",
        "Access-Control-Allow-Origin", "Age", "Authorization", "Cache-Control", "Connection",
        "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length",
        "Content-Range", "Content-Security-Policy", "Content-Type", "Cookie", "Date", "ETag",
        "Expect", "Expires", "Host", "If-Match", "If-Modified-Since", "If-None-Match",
        "Keep-Alive", "Last-Modified", "Link", "Location", "Origin", "Pragma", "Priority", "Range",
        "Referer", "Referrer-Policy", "Retry-After", "Sec-Fetch-Dest", "Sec-Fetch-Mode",
        "Sec-Fetch-Site", "Sec-WebSocket-Accept", "Sec-WebSocket-Key", "Sec-WebSocket-Version",
        "Server", "Set-Cookie", "Strict-Transport-Security", "TE", "Trailer", "Transfer-Encoding",
        "Upgrade", "Upgrade-Insecure-Requests", "User-Agent", "Vary", "Via", "WWW-Authenticate",
        "X-Content-Type-Options", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
        "X-Frame-Options", "X-Request-Id", "DNT", "Sec-Fetch-User", "Allow",
    ]

    /// Index 0…127: the names as printed, then the same in lower case.
    static let byIndex: [String] = names + names.map { $0.lowercased() }

    /// Open addressing over a hash of length, first, middle and last byte; 0 marks a free slot.
    private static let slots: [UInt8] = {
        var slots = [UInt8](repeating: 0, count: slotCount)
        for index in byIndex.indices where !byIndex[index].isEmpty {
            // "TE", "DNT" and the like differ from their lower case; a name equal to its own lower
            // case cannot occur, so each index has its own key.
            let key = Array(byIndex[index].utf8)
            var slot = key.withUnsafeBytes(hash)
            while slots[slot] != 0 { slot = (slot + 1) & (slotCount - 1) }
            slots[slot] = UInt8(index)
        }
        return slots
    }()

    private static let slotCount = 512

    private static let keys: [[UInt8]] = byIndex.map { Array($0.utf8) }

    private static func hash(_ bytes: UnsafeRawBufferPointer) -> Int {
        let count = bytes.count
        let mixed =
            count &* 31 &+ Int(bytes[0]) &* 7 &+ Int(bytes[count / 2]) &* 37
            &+ Int(bytes[count - 1]) &* 101
        return mixed & (slotCount - 1)
    }

    /// The index of exactly these bytes, or 0.
    static func index(of bytes: UnsafeRawBufferPointer) -> UInt8 {
        guard bytes.count > 1 else { return 0 }
        var slot = Self.hash(bytes)
        while true {
            let index = Self.slots[slot]
            guard index != 0 else { return 0 }
            if bytes.elementsEqual(Self.keys[Int(index)]) { return index }
            slot = (slot + 1) & (Self.slotCount - 1)
        }
    }
}
