import NIOCore
import Testing
import TunnelWire

@testable import TunnelLink

@Suite struct LinkIOTests {
    /// "A message holds whole frames": one that goes on in the next message is refused.
    @Test func aMessageEndsWithAFrame() throws {
        let ping: [UInt8] = [FrameType.ping.rawValue, 0, 0, 8] + [UInt8](repeating: 0, count: 16)
        for cut in 0...ping.count {
            var io = LinkIO()
            ping[..<cut].withUnsafeBytes { io.feed($0) }
            let isWhole = cut == 0 || cut == ping.count
            let frame = try io.next()
            #expect((frame != nil) == (cut == ping.count))
            if isWhole {
                try io.messageEnded()
            } else {
                #expect(throws: WireError.self) { try io.messageEnded() }
            }
        }
    }

    /// A message may come in pieces all the same.
    @Test func piecesOfAMessage() throws {
        let ping: [UInt8] = [FrameType.ping.rawValue, 0, 0, 8] + [UInt8](repeating: 0, count: 16)
        var io = LinkIO()
        ping[..<9].withUnsafeBytes { io.feed($0) }
        let none = try io.next()
        #expect(none == nil)
        ping[9...].withUnsafeBytes { io.feed($0) }
        let frame = try io.next()
        #expect(frame?.header.type == .ping)
        try io.messageEnded()
    }
}
