import Logging
import NIOCore
import NIOPosix
import Testing
import TunnelWire

@testable import CulvertEdge

/// Which ports connectors get, and how long they have them.
@Suite struct TCPPortsTests {
    private let one = ServedTunnel.Identity.declared(name: "one")
    private let two = ServedTunnel.Identity.declared(name: "two")

    private func ports(_ range: String) throws -> TCPPorts {
        let ports = TCPPorts(
            try TCPPortRange(range, defaultHost: "127.0.0.1"),
            publicHost: "connect.example.test",
            group: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test")
        )
        ports.serve { channel, _ in channel.close(promise: nil) }
        return ports
    }

    private func refusal(_ result: Result<[Int], Refusal>) -> String {
        switch result {
        case .success(let ports): "\(ports)"
        case .failure(let refusal): refusal.message
        }
    }

    @Test func theSystemChooses() async throws {
        let ports = try self.ports("0")
        let opened = try ports.open([0, 0], for: self.one).get()
        #expect(Set(opened).count == 2 && opened.allSatisfy { $0 > 0 })
        #expect(ports.url(of: opened[0]) == "tcp://127.0.0.1:\(opened[0])")
        await ports.stopAccepting()
    }

    @Test func aPortIsATunnelsAsLongAsOneOfItsSessionsHasIt() async throws {
        let ports = try self.ports("0")
        let port = try ports.open([0], for: self.one).get()[0]
        #expect(try ports.open([port], for: self.one).get() == [port])
        #expect(self.refusal(ports.open([port], for: self.two)).contains("another tunnel"))
        ports.close([port])
        #expect(self.refusal(ports.open([port], for: self.two)).contains("another tunnel"))
        ports.close([port])
        // Free at once; the kernel may take a moment to let go of it.
        var given: [Int]?
        for _ in 0..<1_000 where given == nil {
            given = try? ports.open([port], for: self.two).get()
            if given == nil { try await Task.sleep(for: .milliseconds(5)) }
        }
        #expect(given == [port])
        await ports.stopAccepting()
    }

    @Test func allOrNone() async throws {
        let ports = try self.ports("0")
        let theirs = try ports.open([0], for: self.two).get()[0]
        #expect(self.refusal(ports.open([0, theirs], for: self.one)).contains("another tunnel"))
        let nine = Array(repeating: 0, count: 9)
        #expect(self.refusal(ports.open(nine, for: self.one)).contains("at most 8"))
        // Nor by several logins; what was opened of a login that is refused is closed again.
        for _ in 0..<3 {
            #expect(throws: Never.self) { try ports.open([0, 0], for: self.one).get() }
        }
        #expect(self.refusal(ports.open([0, 0, 0], for: self.one)).contains("at most 8"))
        #expect(throws: Never.self) { try ports.open([0, 0], for: self.one).get() }
        await ports.stopAccepting()
        #expect(self.refusal(ports.open([0], for: self.one)).contains("stopping"))
    }

    @Test func aRangeIsKeptTo() async throws {
        // Which of them are free is the machine's affair; that they are of the range is ours.
        let ports = try self.ports("127.0.0.1:41000-41019")
        for asked in [40_999, 41_020, 22, -1, 70_000] {
            #expect(self.refusal(ports.open([asked], for: self.one)).contains("41000 to 41019"))
        }
        let opened = try ports.open([0, 0, 0], for: self.one).get()
        #expect(opened.allSatisfy { (41_000...41_019).contains($0) } && Set(opened).count == 3)
        await ports.stopAccepting()
    }

    @Test(arguments: [
        ("20000-20099", "0.0.0.0", 20_000, 20_099), ("20000", "0.0.0.0", 20_000, 20_000),
        ("127.0.0.1:5-6", "127.0.0.1", 5, 6), ("[::]:0", "::", 0, 0),
        ("[2001:db8::1]:7-7", "2001:db8::1", 7, 7),
    ])
    func rangesAreRead(text: String, host: String, first: Int, last: Int) throws {
        let range = try TCPPortRange(text, defaultHost: "0.0.0.0")
        #expect(range == TCPPortRange(host: host, ports: first...last))
    }

    @Test(arguments: [
        "", "x", "1-", "-1", "2-1", "0-5", "1-65536", "1-2-3", "127.0.0.1", "1 - 2", ":",
    ])
    func whatIsNoRange(text: String) {
        #expect(throws: TCPPortRangeError.self) { try TCPPortRange(text, defaultHost: "0.0.0.0") }
    }
}
