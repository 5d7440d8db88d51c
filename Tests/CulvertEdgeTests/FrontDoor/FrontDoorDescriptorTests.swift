import Glibc
import Logging
import NIOCore
import Synchronization
import Testing

@testable import CulvertEdge

/// Tests that count or run out of descriptors, each in a process of its own.
@Suite(.timeLimit(.minutes(2))) struct FrontDoorDescriptorTests {
    @Test func everyDescriptorIsClosedOnce() async {
        await #expect(processExitsWith: .success) {
            let before = openDescriptors(named: "socket:")
            try Self.mixedLoad()
            #expect(openDescriptors(named: "socket:") == before)
            // The runtime opens some of these in passing, but not two for each door.
            let others = openDescriptors(named: "anon_inode:")
            for _ in 0..<20 { try DoorFixture().door.shutdown() }
            #expect(openDescriptors(named: "anon_inode:") < others + 20)
        }
    }

    /// Whole, partial, silent, foreign and broken clients, some of them alive at the end.
    private static func mixedLoad() throws {
        let fixture = try DoorFixture { $0.maximumPendingHellos = 20 }
        let hello = HelloBytes().records()
        var alive: [TestClient] = []
        for round in 0..<300 {
            let client = try fixture.connect()
            switch round % 6 {
            case 0: client.send(hello)
            case 1: client.send(Array(hello.prefix(round % hello.count)))
            case 2: client.send(Array("GET / HTTP/1.1\r\n\r\n".utf8))
            case 3: client.send([22, 3, 1, 0, 4, 9, 9, 9, 9])
            case 4: client.send(Array("bad".utf8))
            default: break
            }
            if round.isMultiple(of: 2) { alive.append(client) }
        }
        for _ in 0..<25 { #expect(fixture.visitors.next() != nil) }
        fixture.door.shutdown()
    }

    @Test func shortageOfDescriptorsIsWaitedOut() async {
        await #expect(processExitsWith: .success) {
            let log = RecordingLog()
            let fixture = try DoorFixture(logger: log.logger)
            let clients = try (0..<3).map { _ in try fixture.connect(naming: "a.example.com") }
            for _ in clients { #expect(fixture.visitors.next() != nil) }
            let client = try Self.clientOfAFullProcess(fixture, log: log)
            client.send(HelloBytes().records())
            #expect(fixture.visitors.next() != nil)
            log.wait(for: "accepting connections again")
            #expect(log.count(of: "cannot accept connections; trying again every 100 ms") == 1)
        }
    }

    /// Connects while no descriptor is left for the other end, and leaves some again once the door
    /// has noticed.
    private static func clientOfAFullProcess(
        _ fixture: DoorFixture,
        log: RecordingLog
    ) throws -> TestClient {
        let shortage = "cannot accept connections; trying again every 100 ms"
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(7), &limit)
        var whole = limit
        // Some came with the process: no fixed number leaves room above them.
        limit.rlim_cur = rlim_t(highestDescriptor()) + 32
        setrlimit(__rlimit_resource_t(7), &limit)
        var spare: [CInt] = []
        defer {
            for descriptor in spare { close(descriptor) }
            setrlimit(__rlimit_resource_t(7), &whole)
        }
        // The runtime may close one of its own in between, and the door then gets it: once more.
        for _ in 0..<20 {
            while case let descriptor = dup(0), descriptor >= 0 { spare.append(descriptor) }
            if let last = spare.popLast() { close(last) }
            let before = fixture.counter.count
            guard let client = try? fixture.connect() else { continue }
            while log.count(of: shortage) == 0, fixture.counter.count == before { sched_yield() }
            if log.count(of: shortage) > 0 { return client }
        }
        throw NoShortage()
    }

    private struct NoShortage: Error {}
}

/// Keeps messages, and lets a test wait for one.
final class RecordingLog: Sendable {
    private let messages = Mutex<[String]>([])

    var logger: Logger { Logger(label: "test", factory: { _ in Handler(log: self) }) }

    func count(of message: String) -> Int {
        self.messages.withLock { $0.filter { $0 == message }.count }
    }

    /// Waits for a message; the test's time limit ends it if none comes.
    func wait(for message: String) {
        while self.count(of: message) == 0 { sched_yield() }
    }

    private struct Handler: LogHandler {
        let log: RecordingLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            self.log.messages.withLock { $0.append("\(event.message)") }
        }
    }
}
