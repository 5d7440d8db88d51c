import NIOCore
import Testing

@testable import CulvertConnector

@Suite(.timeLimit(.minutes(1)))
struct SOCKSHandshakeTests {
    /// The steps of bytes that come in two pieces, and what is left behind them.
    private func steps(
        _ bytes: [UInt8],
        splitAt index: Int
    ) -> (steps: [SOCKSHandshake.Step], rest: ByteBuffer) {
        var handshake = SOCKSHandshake()
        var steps: [SOCKSHandshake.Step] = []
        for piece in [bytes.prefix(index), bytes.dropFirst(index)] {
            handshake.append(ByteBuffer(bytes: piece))
            while true {
                let step = handshake.next()
                guard step != .needsMore else { break }
                steps.append(step)
            }
        }
        return (steps, handshake.takeRest())
    }

    private static let greeted = SOCKSHandshake.Step.answer(ByteBuffer(bytes: [5, 0]))

    @Test(
        arguments: [
            ([1, 127, 0, 0, 1], "127.0.0.1"), ([3, 4, 0x68, 0x6F, 0x73, 0x74], "host"),
            ([4, 0x20, 1, 0xD, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5], "2001:db8:0:0:0:0:0:5"),
        ] as [([UInt8], String)]
    )
    func everyKindOfAddressAtEverySplit(address: [UInt8], host: String) {
        let bytes = [5, 2, 1, 0, 5, 1, 0] + address + [0x01, 0xBB] + Array("more".utf8)
        for index in 0...bytes.count {
            let (steps, rest) = self.steps(bytes, splitAt: index)
            #expect(steps == [Self.greeted, .connect(TCPDestination(host: host, port: 443))])
            #expect(rest == ByteBuffer(string: "more"))
        }
    }

    @Test(
        arguments: [
            ([4, 1], []), ([0x47, 0x45], []), ([5, 1, 2], [5, 0xFF]), ([5, 0], [5, 0xFF]),
        ] as [([UInt8], [UInt8])]
    )
    func refusedGreetings(bytes: [UInt8], answer: [UInt8]) throws {
        for index in 0...bytes.count {
            let (steps, _) = self.steps(bytes, splitAt: index)
            guard case .refuse(let said, _)? = steps.first, steps.count == 1 else {
                Issue.record("\(steps)")
                return
            }
            #expect(said == ByteBuffer(bytes: answer))
        }
    }

    @Test(
        arguments: [
            ([5, 2, 0, 1, 127, 0, 0, 1, 0, 22], 7), ([5, 3, 0, 1, 127, 0, 0, 1, 0, 22], 7),
            ([5, 1, 0, 2, 127, 0, 0, 1, 0, 22], 8), ([4, 1, 0, 1, 127, 0, 0, 1, 0, 22], 1),
            ([5, 1, 0, 1, 127, 0, 0, 1, 0, 0], 1), ([5, 1, 0, 3, 0, 0, 22], 1),
            ([5, 1, 0, 3, 2, 0x61, 0x00, 0, 22], 1), ([5, 1, 0, 3, 1, 0xFF, 0, 22], 1),
        ] as [([UInt8], UInt8)]
    )
    func refusedRequests(request: [UInt8], code: UInt8) {
        let bytes = [5, 1, 0] + request
        for index in 0...bytes.count {
            let (steps, _) = self.steps(bytes, splitAt: index)
            guard case .refuse(let said, _)? = steps.last, steps.count == 2 else {
                Issue.record("\(steps)")
                return
            }
            #expect(said == ByteBuffer(bytes: [5, code, 0, 1, 0, 0, 0, 0, 0, 0]))
        }
    }
}
