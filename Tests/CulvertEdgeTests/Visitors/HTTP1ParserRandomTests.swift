import HTTPSemantics
import NIOCore
import Testing

@testable import CulvertEdge

/// SplitMix64: the same sequence for the same seed.
private struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Valid requests with random damage: the parser must come to the same requests whatever the
/// pieces are, and must not take what `RequestHeadGuard`, written apart from it, refuses.
@Suite(.timeLimit(.minutes(1)))
struct HTTP1ParserRandomTests {
    private static let seeds = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n",
        "PUT http://a/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello"
            + "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
    ]
    private static let splinters: [[UInt8]] = [
        [0x0A], [0x0D], [0], [0x20], [0x09], [0x3A], [0x0D, 0x0A], [0x2C], [0x3B], [0x30], [0xFF],
        Array("Content-Length: 3\r\n".utf8), Array("Transfer-Encoding: chunked\r\n".utf8), [0x2B],
    ]

    private static func damaged(_ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = Array((self.seeds.randomElement(using: &generator) ?? "").utf8)
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
            let at = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes.remove(at: at)
            case 2:
                bytes.insert(
                    contentsOf: self.splinters.randomElement(using: &generator) ?? [],
                    at: at
                )
            default: bytes.insert(bytes[at], at: at)
            }
        }
        return bytes
    }

    private struct Verdict: Equatable {
        var requests: [HTTP1RequestHead] = []
        var bodies: [[UInt8]] = []
        var trailers: [HTTPFields?] = []
        var failure: EdgeFailure?
    }

    private static func verdict(_ bytes: [UInt8], step: Int) -> Verdict {
        var verdict = Verdict()
        var parser = HTTP1RequestParser(limits: VisitorLimits())
        var inbox = ByteBuffer()
        do throws(EdgeFailure) {
            for start in stride(from: 0, to: bytes.count, by: step) {
                inbox.writeBytes(bytes[start..<min(start + step, bytes.count)])
                while let event = try parser.next(&inbox) {
                    switch event {
                    case .head(let head):
                        verdict.requests.append(head)
                        verdict.bodies.append([])
                    case .body(let piece):
                        verdict.bodies[verdict.bodies.count - 1] += Array(buffer: piece)
                    case .end(let trailers): verdict.trailers.append(trailers)
                    }
                }
            }
        } catch {
            verdict.failure = error
        }
        return verdict
    }

    @Test(arguments: [1, 2, 3, 4])
    func agreesWithItselfAndTheGuard(_ seed: UInt64) {
        var generator = SeededGenerator(state: seed)
        for round in 0..<2000 {
            let bytes = Self.damaged(&generator)
            let whole = Self.verdict(bytes, step: bytes.count)
            let text = String(decoding: bytes, as: UTF8.self).debugDescription
            #expect(whole == Self.verdict(bytes, step: 1), "seed \(seed) round \(round): \(text)")
            #expect(whole == Self.verdict(bytes, step: 5), "seed \(seed) round \(round): \(text)")
            // Line ends, so that a damage the parser sees at the end of a line is seen.
            let ended = bytes + Array("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n".utf8)
            var headGuard = RequestHeadGuard()
            if case .refused(let refusal) = headGuard.scan(ended) {
                let failure = Self.verdict(ended, step: ended.count).failure
                #expect(failure != nil, "seed \(seed) round \(round): \(refusal): \(text)")
            }
        }
    }
}
