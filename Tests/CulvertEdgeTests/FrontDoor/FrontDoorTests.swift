import Glibc
import Logging
import NIOCore
import Synchronization
import Testing

@testable import CulvertEdge

@Suite(.timeLimit(.minutes(1))) struct FrontDoorTests {
    @Test func socketsPartByServerName() throws {
        let fixture = try DoorFixture()
        let names = ["connect.example.com", "CONNECT.example.com.", "app.example.com", nil]
        let clients = try names.map { try fixture.connect(naming: $0) }
        let first = try #require(fixture.tunnels.next())
        let second = try #require(fixture.tunnels.next())
        #expect(first.serverName == "connect.example.com")
        #expect(second.serverName == "connect.example.com")
        let visitors = [fixture.visitors.next(), fixture.visitors.next()]
        #expect(Set(visitors.map { $0?.serverName }) == ["app.example.com", nil])
        #expect(visitors[0]?.hello.applicationProtocols == ["h2", "http/1.1"])
        #expect(fixture.tunnels.isEmpty && fixture.visitors.isEmpty)
        #expect(clients.count == fixture.counter.count)
    }

    @Test func helloStaysUnreadAndAddressesAreRight() throws {
        let fixture = try DoorFixture()
        let client = try fixture.connect(naming: "app.example.com")
        let socket = try #require(fixture.visitors.next())
        #expect(socket.peer.ip == "127.0.0.1")
        #expect(socket.peer.port == ListeningSocket.localAddress(of: client.raw)?.port)
        #expect(Int(socket.local.port) == fixture.address.port)
        #expect(socket.peekAll() == HelloBytes.named("app.example.com").records())
        #expect(socket.take() == nil)
    }

    @Test func helloMayComeByteByByte() throws {
        let fixture = try DoorFixture()
        let client = try fixture.connect()
        let bytes = HelloBytes().records(fragment: 20)
        for byte in bytes { client.send([byte]) }
        let socket = try #require(fixture.visitors.next())
        let raw = try #require(socket.take())
        let owned = OwnedDescriptor(raw)
        var lowWater: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        getsockopt(owned.raw, SOL_SOCKET, SO_RCVLOWAT, &lowWater, &length)
        #expect(lowWater == 1)
        var received = [UInt8](repeating: 0, count: 4_096)
        #expect(recv(owned.raw, &received, received.count, 0) == bytes.count)
    }

    @Test func whatStaysUnreadDoesNotSpin() throws {
        let poll = try EventPoll()
        let loopback = try SocketAddress(ipAddress: "127.0.0.1", port: 0)
        let listener = try ListeningSocket(bind: loopback, backlog: 8)
        let isAdded = poll.add(listener.descriptor.raw, token: 7)
        #expect(isAdded)
        let client = try TestClient(listener.boundAddress)
        var events: [EventPoll.Event] = []
        poll.wait(timeoutMilliseconds: 30_000, into: &events)
        #expect(events.map(\.token) == [7])
        // The connection still waits in the queue: a level would fire again.
        poll.wait(timeoutMilliseconds: 0, into: &events)
        #expect(events.isEmpty)
        _ = client
    }

    @Test func silentClientsDelayNobody() throws {
        let fixture = try DoorFixture()
        let bytes = HelloBytes().records()
        let silent = try (0..<500).map { index in
            let client = try fixture.connect()
            if index.isMultiple(of: 2) { client.send(Array(bytes.prefix(index % bytes.count))) }
            return client
        }
        let client = try fixture.connect(naming: "app.example.com")
        #expect(fixture.visitors.next()?.serverName == "app.example.com")
        // And they are served as soon as they speak.
        silent[1].send(bytes)
        silent[3].send(bytes)
        #expect(fixture.visitors.next() != nil && fixture.visitors.next() != nil)
        _ = client
    }

    @Test func oldestIsDroppedAtTheLimit() throws {
        let fixture = try DoorFixture { $0.maximumPendingHellos = 3 }
        let silent = try (0..<5).map { _ in try fixture.connect() }
        #expect(silent[0].waitForClose() && silent[1].waitForClose())
        for client in silent[2...] { client.send(HelloBytes().records()) }
        for _ in 2..<5 { #expect(fixture.visitors.next() != nil) }
    }

    @Test func helloHasADeadline() throws {
        let fixture = try DoorFixture { $0.helloTimeout = .milliseconds(50) }
        let silent = try fixture.connect()
        let partial = try fixture.connect()
        partial.send(Array(HelloBytes().records().prefix(30)))
        #expect(silent.waitForClose() && partial.waitForClose())
        #expect(fixture.visitors.isEmpty)
    }

    @Test func clientsThatLeaveAreForgotten() throws {
        let fixture = try DoorFixture()
        let partial = try fixture.connect()
        partial.send(Array(HelloBytes().records().prefix(30)))
        partial.finishSending()
        #expect(partial.waitForClose())
        let silent = try fixture.connect()
        silent.finishSending()
        #expect(silent.waitForClose())
    }

    @Test func plainHTTPIsAnsweredInFull() throws {
        let fixture = try DoorFixture()
        for body in [0, 20_000] {
            let client = try fixture.connect()
            let request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \(body)\r\n\r\n"
            client.send(Array(request.utf8) + [UInt8](repeating: 0x61, count: body))
            let answer = String(decoding: try #require(client.readToEnd()), as: UTF8.self)
            #expect(answer.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
            #expect(answer.contains("Culvert-Error: https-expected\r\n"))
            #expect(answer.hasSuffix("</html>\n"))
        }
        #expect(fixture.visitors.isEmpty)
    }

    @Test func brokenTLSGetsAnAlertAndOthersNothing() throws {
        let fixture = try DoorFixture()
        let broken = try fixture.connect()
        broken.send([22, 3, 1, 0, 4, 2, 0, 0, 0])
        #expect(broken.readToEnd() == RefusalAnswer.decodeError)
        let foreign = try fixture.connect()
        foreign.send(Array("SSH-2.0-x\r\n".utf8))
        #expect(foreign.waitForClose())
    }

    @Test func connectionsAreLimitedAndReleased() throws {
        var limits = ConnectionCounter.Limits()
        limits.perAddress = 2
        let fixture = try DoorFixture(limits: limits)
        let held = try (0..<2).map { _ in try fixture.connect(naming: "a.example.com") }
        let sockets = [fixture.visitors.next(), fixture.visitors.next()]
        let third = try fixture.connect(naming: "a.example.com")
        #expect(third.waitForClose())
        #expect(fixture.counter.count == 2)
        sockets[0]?.permit.release()
        sockets[0]?.permit.release()
        #expect(fixture.counter.count == 1)
        let fourth = try fixture.connect(naming: "b.example.com")
        #expect(fixture.visitors.next()?.serverName == "b.example.com")
        _ = (held, fourth)
    }

    @Test func droppingASocketClosesAndReleasesIt() throws {
        let fixture = try DoorFixture()
        let client = try fixture.connect(naming: "a.example.com")
        #expect(fixture.visitors.next() != nil)
        #expect(client.waitForClose())
        // The close is seen before the permit is back.
        while fixture.counter.count > 0 { sched_yield() }
        #expect(fixture.counter.addressCount == 0)
    }

    @Test func dualStackCountsIPv4AsItself() throws {
        let fixture = try DoorFixture(bind: "::")
        let port = try #require(fixture.address.port)
        let four = try TestClient(SocketAddress(ipAddress: "127.0.0.1", port: port))
        four.send(HelloBytes().records())
        #expect(fixture.visitors.next()?.peer.ip == "127.0.0.1")
        let six = try TestClient(SocketAddress(ipAddress: "::1", port: port))
        six.send(HelloBytes().records())
        let socket = try #require(fixture.visitors.next())
        #expect(socket.peer.ip == "::1" && socket.peer.description.hasPrefix("[::1]:"))
    }

    @Test func stopAcceptingFreesThePortAndKeepsThoseInside() throws {
        let fixture = try DoorFixture()
        let inside = try fixture.connect()
        fixture.door.stopAccepting()
        fixture.door.stopAccepting()
        #expect(throws: TestClient.Failure.self) { try fixture.connect() }
        let second = try ListeningSocket(bind: fixture.address, backlog: 1)
        #expect(second.boundAddress == fixture.address)
        inside.send(HelloBytes().records())
        #expect(fixture.visitors.next() != nil)
        let silent = inside
        fixture.door.shutdown()
        fixture.door.shutdown()
        #expect(silent.waitForClose())
    }

    @Test func startErrorsNameTheAddress() throws {
        let fixture = try DoorFixture()
        let port = try #require(fixture.address.port)
        let error = try #require(throws: FrontDoorError.self) {
            try ListeningSocketProbe.bind(fixture.address)
        }
        #expect(error.description.hasPrefix("cannot listen on 127.0.0.1:\(port): another process"))
        #expect(throws: FrontDoorError.self) { try fixture.door.start(bind: fixture.address) }
    }
}

enum ListeningSocketProbe {
    static func bind(_ address: SocketAddress) throws {
        _ = try ListeningSocket(bind: address, backlog: 1)
    }
}
