import ControlAPI
import ControlServer
import CulvertControl
import Foundation
import HTTPSemantics
import Logging
import NIOCore
import Synchronization
import Testing

/// An answer, as it was written.
struct APIAnswer {
    var head: ResponseHead
    var body: Data
    var isComplete: Bool

    func document<Document: Decodable>(_ type: Document.Type) throws -> Document {
        try APICoding.decoder.decode(type, from: self.body)
    }

    var code: String? { (try? self.document(APIProblem.self))?.code }
}

private final class Recorder: ControlAnswerWriter {
    private let contents = Mutex<(head: ResponseHead?, body: Data, isComplete: Bool)>(
        (nil, Data(), false)
    )

    func head(_ head: ResponseHead) { self.contents.withLock { $0.head = head } }
    func write(_ bytes: ByteBuffer) {
        self.contents.withLock { $0.body.append(contentsOf: bytes.readableBytesView) }
    }
    func end() { self.contents.withLock { $0.isComplete = true } }

    func answer() throws -> APIAnswer {
        let (head, body, isComplete) = self.contents.withLock { $0 }
        return APIAnswer(head: try #require(head), body: body, isComplete: isComplete)
    }
}

/// Connectors as the test wants them.
final class TestConnectors: TunnelPresence {
    let connected = Mutex<Set<TunnelID>>([])
    let disconnected = Mutex<[TunnelID]>([])

    func connectors(of tunnel: TunnelID) -> [ConnectorDocument] {
        guard self.connected.withLock({ $0.contains(tunnel) }) else { return [] }
        return [
            ConnectorDocument(
                id: "s",
                agent: "culvert/test",
                address: "192.0.2.9",
                connectedAt: Date(timeIntervalSince1970: 0),
                state: "connected",
                streams: 0,
                key: "k",
                configurationVersion: nil,
                configurationProblem: nil
            )
        ]
    }

    /// Who serves which name by having asked for it.
    let holders = Mutex<[String: LiveHolder]>([:])

    func holder(of host: NormalizedHost) -> LiveHolder? {
        self.holders.withLock { $0[host.name] }
    }

    /// What the next watchers see; nil refuses them.
    let events = Mutex<[EventDocument?]?>([])

    let wasWatched = Atomic<Bool>(false)
    /// What the next watcher sees instead, as it comes.
    let stream = Mutex<AsyncStream<EventDocument?>?>(nil)

    func events(of tunnel: TunnelID) -> AsyncStream<EventDocument?>? {
        self.wasWatched.store(true, ordering: .releasing)
        if let stream = self.stream.withLock({ $0 }) { return stream }
        guard let events = self.events.withLock({ $0 }) else { return nil }
        return AsyncStream { continuation in
            for event in events { continuation.yield(event) }
            continuation.finish()
        }
    }

    func disconnect(_ tunnel: TunnelID) {
        self.disconnected.withLock { $0.append(tunnel) }
    }
}

final class ControlFixture: Sendable {
    let folder: URL
    let server: ControlServer
    let control: Control
    let connectors = TestConnectors()
    let failures = SharedCount()
    /// What the server has logged at error.
    let log = SharedLines()
    private let settings: ControlSettings

    init() async throws {
        self.folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("culvert-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: self.folder,
            withIntermediateDirectories: true
        )
        let store = try SQLiteStore(file: self.folder.appendingPathComponent("edge.db").path)
        self.control = try await Control(store: store)
        let declared = try HostPattern("declared.example.test")
        self.settings = ControlSettings(
            agent: "culvert/test",
            connect: try NormalizedHost("connect.example.test"),
            control: try NormalizedHost("edge.example.test"),
            domain: try NormalizedHost("example.test"),
            declared: { [declared] },
            port: { 8443 }
        )
        let time = TestClock()
        self.server = ControlServer(
            control: self.control,
            settings: self.settings,
            presence: self.connectors,
            now: { time.now },
            storeFailed: { [failures] in failures.increment() },
            logger: Logger(label: "test") { [log] _ in RecordingLog(log) }
        )
        self.time = time
    }

    let time: TestClock

    deinit { try? FileManager.default.removeItem(at: self.folder) }

    func send(
        _ method: String,
        _ path: String,
        _ body: String? = nil,
        token: String? = nil,
        scheme: String = "https",
        fields: HTTPFields = HTTPFields(),
        address: String = "192.0.2.1"
    ) async throws -> APIAnswer {
        var fields = fields
        if let token { fields.append("Authorization", "Bearer \(token)") }
        let recorder = Recorder()
        await self.server.respond(
            to: ControlRequest(
                head: RequestHead(
                    method: method,
                    scheme: scheme,
                    authority: "edge.example.test:8443",
                    path: path,
                    fields: fields
                ),
                body: ByteBuffer(string: body ?? ""),
                address: address
            ),
            with: recorder
        )
        return try recorder.answer()
    }

    /// An account with a code that lets somebody in.
    func invite(_ name: String, role: String = "member") async throws -> String {
        let invitation = try Invitation(
            NewAccountDocument(name: name, role: role),
            self.settings,
            now: self.time.now
        )
        let policy = ControlPolicy(reserved: [])
        let request = ControlPolicy.Request(.operator, at: self.time.now)
        try await self.control.change { registry throws(ControlError) in
            try policy.createAccount(
                invitation.account,
                enrolment: invitation.kept,
                request,
                registry
            )
        }
        return invitation.document(self.settings).code
    }

    /// A new account's session token.
    func login(_ name: String, role: String = "member") async throws -> String {
        let code = try await self.invite(name, role: role)
        let answer = try await self.send(
            "POST",
            "/api/v1/login",
            #"{"code":"\#(code)","label":"test"}"#
        )
        return try answer.document(LoginDocument.self).token
    }
}

/// A number that a closure adds to.
final class SharedCount: Sendable {
    private let value = Atomic<Int>(0)
    var count: Int { self.value.load(ordering: .relaxed) }
    func increment() { self.value.add(1, ordering: .relaxed) }
}

/// Lines, as they come.
final class SharedLines: Sendable {
    private let lines = Mutex<[String]>([])
    var all: [String] { self.lines.withLock { $0 } }
    func add(_ line: String) { self.lines.withLock { $0.append(line) } }
}

/// Keeps what is logged at error.
private struct RecordingLog: LogHandler {
    private let lines: SharedLines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.error

    init(_ lines: SharedLines) { self.lines = lines }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) { self.lines.add("\(event.message) \(event.metadata ?? [:])") }
}

final class TestClock: Sendable {
    private let seconds = Atomic<Int>(1_800_000_000)
    var now: Date { Date(timeIntervalSince1970: Double(self.seconds.load(ordering: .relaxed))) }
    func advance(_ seconds: Int) { self.seconds.add(seconds, ordering: .relaxed) }
}

/// Bodies that many tests send.
enum Bodies {
    static func key(_ byte: UInt8) -> String {
        Data(repeating: byte, count: 32).base64EncodedString()
    }

    static func tunnel(_ name: String, key: UInt8) -> String {
        #"{"name":"\#(name)","public_key":"\#(Self.key(key))"}"#
    }
}
