/// Builds ClientHellos, right and wrong ones.
struct HelloBytes {
    var serverName: [UInt8]? = Array("app.example.com".utf8)
    var protocols: [String] = ["h2", "http/1.1"]
    var hasExtensions = true
    var extraExtensions: [(type: Int, body: [UInt8])] = []
    var recordVersion: UInt8 = 1

    static func named(_ name: String?) -> HelloBytes {
        HelloBytes(serverName: name.map { Array($0.utf8) })
    }

    static func int16(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 0xFF), UInt8(value & 0xFF)] }

    static func vector16(_ bytes: [UInt8]) -> [UInt8] { Self.int16(bytes.count) + bytes }

    static func serverNameBody(_ names: [[UInt8]]) -> [UInt8] {
        Self.vector16(names.flatMap { [0] + Self.vector16($0) })
    }

    var message: [UInt8] {
        var body: [UInt8] = [3, 3] + [UInt8](repeating: 7, count: 32)
        body += [32] + [UInt8](repeating: 9, count: 32)
        body += Self.vector16([0x13, 0x01, 0x13, 0x02, 0xC0, 0x2F]) + [1, 0]
        if self.hasExtensions {
            var all: [(type: Int, body: [UInt8])] = [(0x0A0A, [])]
            if let serverName { all.append((0, Self.serverNameBody([serverName]))) }
            if !self.protocols.isEmpty {
                let list = self.protocols.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
                all.append((16, Self.vector16(list)))
            }
            all += self.extraExtensions
            body += Self.vector16(all.flatMap { Self.int16($0.type) + Self.vector16($0.body) })
        }
        return [1, UInt8(body.count >> 16)] + Self.int16(body.count & 0xFFFF) + body
    }

    /// The message in records of at most `fragment` bytes.
    func records(fragment: Int = 16_384) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = self.message[...]
        while !rest.isEmpty {
            let piece = rest.prefix(fragment)
            bytes += [22, 3, self.recordVersion] + Self.vector16(Array(piece))
            rest = rest.dropFirst(fragment)
        }
        return bytes
    }
}
