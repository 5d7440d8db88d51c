import ControlAPI
import CulvertControl
import Foundation
import HTTPSemantics
import Logging
import NIOCore
import Synchronization
import Testing

@testable import ControlServer

/// The API over a real store, without sockets; the front door's tests have those.
@Suite(.timeLimit(.minutes(1))) struct ControlServerTests {
    /// An answer, as it was written.
    private struct Answer {
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

        func answer() throws -> Answer {
            let (head, body, isComplete) = self.contents.withLock { $0 }
            return Answer(head: try #require(head), body: body, isComplete: isComplete)
        }
    }

    /// Connectors as the test wants them.
    private final class Connectors: TunnelPresence {
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

        func disconnect(_ tunnel: TunnelID) {
            self.disconnected.withLock { $0.append(tunnel) }
        }
    }

    private final class Fixture: Sendable {
        let folder: URL
        let server: ControlServer
        let control: Control
        let connectors = Connectors()
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
                logger: Logger(label: "test")
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
        ) async throws -> Answer {
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

    private final class TestClock: Sendable {
        private let seconds = Atomic<Int>(1_800_000_000)
        var now: Date { Date(timeIntervalSince1970: Double(self.seconds.load(ordering: .relaxed))) }
        func advance(_ seconds: Int) { self.seconds.add(seconds, ordering: .relaxed) }
    }

    private static func key(_ byte: UInt8) -> String {
        Data(repeating: byte, count: 32).base64EncodedString()
    }

    private static func tunnel(_ name: String, key: UInt8) -> String {
        #"{"name":"\#(name)","public_key":"\#(Self.key(key))"}"#
    }

    @Test func whoIsInvitedIsLetInOnce() async throws {
        let fixture = try await Fixture()
        let code = try await fixture.invite("ann")
        let body = #"{"code":" \#(code)\n","label":"laptop"}"#
            .replacingOccurrences(of: "\n", with: "\\n")
        let answer = try await fixture.send("POST", "/api/v1/login", body)
        let login = try answer.document(LoginDocument.self)
        #expect(login.account.name == "ann" && login.account.suffixes == ["example.test"])
        let again = try await fixture.send("POST", "/api/v1/login", body)
        #expect(again.head.status == 401 && again.code == "unauthenticated")
        let own = try await fixture.send("GET", "/api/v1/account", token: login.token)
        #expect(try own.document(AccountDocument.self) == login.account)
        // The code is no token, and the token is no code.
        #expect(try await fixture.send("GET", "/api/v1/account", token: code).head.status == 401)
    }

    @Test func anInvitationExpires() async throws {
        let fixture = try await Fixture()
        let code = try await fixture.invite("ann")
        fixture.time.advance(Int(Invitation.lifetimeSeconds))
        let body = #"{"code":"\#(code)","label":""}"#
        #expect(try await fixture.send("POST", "/api/v1/login", body).head.status == 401)
    }

    @Test func aSessionThatEndsIsGoodForNothingAtOnce() async throws {
        let fixture = try await Fixture()
        let token = try await fixture.login("ann")
        let end = try await fixture.send("DELETE", "/api/v1/sessions/current", token: token)
        #expect(end.head.status == 204 && end.body.isEmpty && end.isComplete)
        #expect(try await fixture.send("GET", "/api/v1/account", token: token).head.status == 401)
    }

    @Test func nothingIsSaidWithoutTLS() async throws {
        let fixture = try await Fixture()
        let token = try await fixture.login("ann")
        let answer = try await fixture.send(
            "GET",
            "/api/v1/account",
            token: token,
            scheme: "http"
        )
        #expect(answer.head.status == 403)
    }

    @Test(
        arguments: [
            ("GET", "/account"), ("GET", "/sessions"), ("DELETE", "/sessions/current"),
            ("GET", "/tunnels"), ("POST", "/tunnels"), ("GET", "/tunnels/x"),
            ("DELETE", "/tunnels/x"), ("DELETE", "/tunnels/x/connectors"),
            ("POST", "/tunnels/x/keys"), ("DELETE", "/tunnels/x/keys/y"),
            ("PUT", "/tunnels/x/hostnames/y"), ("DELETE", "/tunnels/x/hostnames/y"),
            ("GET", "/tunnels/x/configuration"), ("PUT", "/tunnels/x/configuration"),
            ("GET", "/accounts"), ("POST", "/accounts"), ("PATCH", "/accounts/x"),
            ("DELETE", "/accounts/x"), ("POST", "/accounts/x/invitation"), ("GET", "/audit"),
            ("POST", "/device/approval"),
        ]
    )
    func everythingElseNeedsALogin(method: String, path: String) async throws {
        let fixture = try await Fixture()
        // Bodies are well-formed, so that it is not they that are refused.
        let bodies = [
            "POST /tunnels": Self.tunnel("x", key: 1),
            "POST /tunnels/x/keys": #"{"public_key":"\#(Self.key(1))","label":""}"#,
            "PUT /tunnels/x/configuration": #"{"version":0,"text":""}"#,
            "POST /accounts": #"{"name":"x"}"#, "PATCH /accounts/x": "{}",
            "POST /device/approval": #"{"user_code":"","approve":true}"#,
        ]
        let body = bodies["\(method) \(path)"]
        let answer = try await fixture.send(method, "/api/v1\(path)", body)
        #expect(answer.head.status == 401 && answer.code == "unauthenticated")
        let member = try await fixture.login("ann")
        let known = try await fixture.send(method, "/api/v1\(path)", body, token: member)
        #expect(known.head.status != 401)
        if path.hasPrefix("/accounts") || path == "/audit" { #expect(known.head.status == 403) }
    }

    @Test func aTunnelsLife() async throws {
        let fixture = try await Fixture()
        let token = try await fixture.login("ann")
        let made = try await fixture.send(
            "POST",
            "/api/v1/tunnels",
            Self.tunnel("web", key: 1),
            token: token
        )
        #expect(made.head.status == 201)
        let tunnel = try made.document(TunnelDocument.self)
        #expect(tunnel.name == "web" && tunnel.owner == "ann" && tunnel.keys.count == 1)
        let path = "/api/v1/tunnels/\(tunnel.id)"
        let name = try await fixture.send(
            "PUT",
            "\(path)/hostnames/App.Ann.Example.Test.",
            token: token
        )
        #expect(name.head.status == 201)
        let hostname = try name.document(HostnameDocument.self)
        #expect(hostname.url == "https://app.ann.example.test:8443")
        let wildcard = try await fixture.send(
            "PUT",
            "\(path)/hostnames/*.ann.example.test",
            token: token
        )
        #expect(try wildcard.document(HostnameDocument.self).url == nil)
        let key = try await fixture.send(
            "POST",
            "\(path)/keys",
            """
            {"public_key":"\(Self.key(2))","label":"token","hostnames":["app.ann.example.test"],
             "expires_at":"2027-01-16T08:00:00Z"}
            """,
            token: token
        )
        #expect(key.head.status == 201)
        let shown = try await fixture.send("GET", "/api/v1/tunnels/web", token: token)
            .document(TunnelDocument.self)
        #expect(shown.hostnames == ["*.ann.example.test", "app.ann.example.test"])
        #expect(shown.keys.count == 2)
        let encoded = Data(repeating: 2, count: 32).base64URL
        #expect(
            try await fixture.send("DELETE", "\(path)/keys/\(encoded)", token: token).head.status
                == 204
        )
        #expect(
            try await fixture.send(
                "DELETE",
                "\(path)/hostnames/app.ann.example.test",
                token: token
            ).head.status == 204
        )
        #expect(try await fixture.send("DELETE", path, token: token).head.status == 204)
        #expect(try await fixture.send("GET", path, token: token).head.status == 404)
    }

    @Test func aTunnelInUseIsDeletedByForceOnly() async throws {
        let fixture = try await Fixture()
        let token = try await fixture.login("ann")
        let made = try await fixture.send(
            "POST",
            "/api/v1/tunnels",
            Self.tunnel("web", key: 1),
            token: token
        )
        let text = try made.document(TunnelDocument.self).id
        let id = TunnelID(try #require(UUID(uuidString: text)))
        fixture.connectors.connected.withLock { _ = $0.insert(id) }
        let refused = try await fixture.send("DELETE", "/api/v1/tunnels/web", token: token)
        #expect(refused.head.status == 409 && refused.code == "in-use")
        let cleaned = try await fixture.send(
            "DELETE",
            "/api/v1/tunnels/web/connectors",
            token: token
        )
        #expect(cleaned.head.status == 204)
        #expect(fixture.connectors.disconnected.withLock { $0 } == [id])
        let forced = try await fixture.send(
            "DELETE",
            "/api/v1/tunnels/web?force=true",
            token: token
        )
        #expect(forced.head.status == 204)
    }

    @Test func othersTunnelsAreUnknown() async throws {
        let fixture = try await Fixture()
        let ann = try await fixture.login("ann")
        let bob = try await fixture.login("bob")
        let root = try await fixture.login("root", role: "admin")
        let made = try await fixture.send(
            "POST",
            "/api/v1/tunnels",
            Self.tunnel("web", key: 1),
            token: ann
        )
        let id = try made.document(TunnelDocument.self).id
        for path in ["web", id, "ann%2Fweb"] {
            let answer = try await fixture.send("GET", "/api/v1/tunnels/\(path)", token: bob)
            #expect(answer.head.status == 404)
            // As if there were none.
            #expect(answer.code == "unknown")
        }
        for path in [id, "ann%2Fweb"] {
            let answer = try await fixture.send("GET", "/api/v1/tunnels/\(path)", token: root)
            #expect(answer.head.status == 200)
        }
    }

    @Test func aHostnameIsNotTakenOver() async throws {
        let fixture = try await Fixture()
        let ann = try await fixture.login("ann", role: "admin")
        let bob = try await fixture.login("bob", role: "admin")
        for (token, name, key) in [(ann, "a", 1), (bob, "b", 2)] as [(String, String, UInt8)] {
            _ = try await fixture.send(
                "POST",
                "/api/v1/tunnels",
                Self.tunnel(name, key: key),
                token: token
            )
        }
        func claim(_ host: String, _ tunnel: String, _ token: String) async throws -> UInt16 {
            try await fixture.send(
                "PUT",
                "/api/v1/tunnels/\(tunnel)/hostnames/\(host)",
                token: token
            ).head.status
        }
        #expect(try await claim("shop.test", "a", ann) == 201)
        #expect(try await claim("*.wild.test", "a", ann) == 201)
        for host in [
            "shop.test", "SHOP.test.", "*.test", "x.wild.test", "*.x.wild.test",
            "edge.example.test", "connect.example.test", "declared.example.test",
        ] {
            #expect(try await claim(host, "b", bob) == 403, "\(host)")
        }
        #expect(try await claim("not%20a%20host", "b", bob) == 400)
        #expect(try await claim("%ff", "b", bob) == 400)
        #expect(try await claim("free.test", "b", bob) == 201)
    }

    @Test func theWildcardOverTheDomainIsForAdmins() async throws {
        let fixture = try await Fixture()
        for (name, role, status) in [("ann", "member", 403), ("root", "admin", 201)]
            as [(String, String, UInt16)]
        {
            let token = try await fixture.login(name, role: role)
            _ = try await fixture.send(
                "POST",
                "/api/v1/tunnels",
                Self.tunnel("web", key: UInt8(name.utf8.count)),
                token: token
            )
            let path = "/api/v1/tunnels/web/hostnames/*.example.test"
            let answer = try await fixture.send("PUT", path, token: token)
            #expect(answer.head.status == status)
        }
    }

    @Test func aQuotaHolds() async throws {
        let fixture = try await Fixture()
        let root = try await fixture.login("root", role: "admin")
        let ann = try await fixture.login("ann")
        let change = try await fixture.send(
            "PATCH",
            "/api/v1/accounts/ann",
            #"{"maximum_tunnels":1,"suffixes":["ann.test"]}"#,
            token: root
        )
        let account = try change.document(AccountDocument.self)
        #expect(account.maximumTunnels == 1 && account.suffixes == ["ann.test"])
        // Ten at once: one is made.
        let statuses = try await withThrowingTaskGroup(of: UInt16.self) { group in
            for number in 1...10 {
                group.addTask {
                    try await fixture.send(
                        "POST",
                        "/api/v1/tunnels",
                        Self.tunnel("t\(number)", key: UInt8(number)),
                        token: ann
                    ).head.status
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(statuses.filter { $0 == 201 }.count == 1)
        #expect(statuses.filter { $0 == 429 }.count == 9)
    }

    @Test func aConfigurationIsNotWrittenOverUnseen() async throws {
        let fixture = try await Fixture()
        let ann = try await fixture.login("ann")
        _ = try await fixture.send(
            "POST",
            "/api/v1/tunnels",
            Self.tunnel("web", key: 1),
            token: ann
        )
        let path = "/api/v1/tunnels/web/configuration"
        #expect(try await fixture.send("GET", path, token: ann).head.status == 404)
        let first = #"{"version":0,"text":"ingress: []"}"#
        #expect(try await fixture.send("PUT", path, first, token: ann).head.status == 200)
        let stale = try await fixture.send("PUT", path, first, token: ann)
        #expect(stale.head.status == 409 && stale.code == "conflict")
        let found = try await fixture.send("GET", path, token: ann)
        #expect(
            try found.document(ConfigurationDocument.self)
                == ConfigurationDocument(version: 1, text: "ingress: []")
        )
    }

    @Test func everyChangeIsAudited() async throws {
        let fixture = try await Fixture()
        let root = try await fixture.login("root", role: "admin")
        _ = try await fixture.send(
            "POST",
            "/api/v1/tunnels",
            Self.tunnel("web", key: 1),
            token: root
        )
        _ = try await fixture.send("PUT", "/api/v1/tunnels/web/hostnames/a.test", token: root)
        let invited = try await fixture.send(
            "POST",
            "/api/v1/accounts",
            #"{"name":"eve"}"#,
            token: root
        )
        let code = try invited.document(InvitationDocument.self).code
        let answer = try await fixture.send("GET", "/api/v1/audit", token: root)
        let entries = try answer.document(ListDocument<AuditDocument>.self).items
        #expect(
            entries.map(\.action) == [
                "account.create", "hostname.claim", "tunnel.create", "session.create",
                "account.create",
            ]
        )
        #expect(entries.map(\.actor) == ["root", "root", "root", "root", "operator"])
        // No secret is in it.
        let text = String(decoding: answer.body, as: UTF8.self)
        #expect(!text.contains(code.dropFirst(4)) && !text.contains(root.dropFirst(4)))
        let page = try await fixture.send(
            "GET",
            "/api/v1/audit?limit=2&before=\(entries[1].revision)",
            token: root
        )
        #expect(
            try page.document(ListDocument<AuditDocument>.self).items.map(\.action) == [
                "tunnel.create", "session.create",
            ]
        )
    }

    @Test func aDeviceIsLetInByWhoeverIsLoggedIn() async throws {
        let fixture = try await Fixture()
        let ann = try await fixture.login("ann")
        let begun = try await fixture.send(
            "POST",
            "/api/v1/device/authorization",
            #"{"label":"laptop"}"#
        ).document(DeviceAuthorizationDocument.self)
        #expect(begun.verificationUriComplete.hasSuffix("/device?code=\(begun.userCode)"))
        let poll = #"{"device_code":"\#(begun.deviceCode)"}"#
        #expect(
            try await fixture.send("POST", "/api/v1/device/token", poll).code
                == "authorization_pending"
        )
        let approval = try await fixture.send(
            "POST",
            "/api/v1/device/approval",
            #"{"user_code":"\#(begun.userCode.lowercased())","approve":true}"#,
            token: ann
        )
        #expect(approval.head.status == 204)
        let login = try await fixture.send("POST", "/api/v1/device/token", poll)
            .document(LoginDocument.self)
        #expect(login.account.name == "ann")
        #expect(
            try await fixture.send("POST", "/api/v1/device/token", poll).code == "expired_token"
        )
        let sessions = try await fixture.send("GET", "/api/v1/sessions", token: login.token)
            .document(ListDocument<SessionDocument>.self).items
        #expect(Set(sessions.map(\.label)) == ["laptop", "test"])
        #expect(sessions.first { $0.isCurrent }?.label == "laptop")
    }

    @Test(
        arguments: [
            ("{", "no JSON object"), (#"{"name":"x"}"#, "public_key is missing"),
            (#"{"name":1,"public_key":"x"}"#, "name is of another kind"),
            (#"{"name":"x","public_key":"x"}"#, "Ed25519"), ("[]", "the body"),
            (#"{"name":"a b","public_key":"\#(key(1))"}"#, "is no name"), ("", "no JSON object"),
        ]
    )
    func badBodiesAreSaidToBe(body: String, words: String) async throws {
        let fixture = try await Fixture()
        let token = try await fixture.login("ann")
        let answer = try await fixture.send("POST", "/api/v1/tunnels", body, token: token)
        #expect(answer.head.status == 400)
        let problem = try answer.document(APIProblem.self)
        #expect(problem.detail.contains(words), "\(problem.detail)")
        #expect(answer.head.fields.first("content-type") == "application/problem+json")
    }

    @Test func aBodyThatIsTooLongIsRefused() async throws {
        let fixture = try await Fixture()
        let token = try await fixture.login("ann")
        let body = String(repeating: " ", count: APICoding.maximumRequestBytes + 1)
        let answer = try await fixture.send("POST", "/api/v1/tunnels", body, token: token)
        #expect(answer.head.status == 413 && answer.code == "too-large")
    }

    @Test func codesCannotBeTriedFast() async throws {
        let fixture = try await Fixture()
        let body = #"{"code":"\#(TokenText(new: .enrolment).text)","label":""}"#
        var statuses: [UInt16] = []
        for _ in 0..<25 {
            statuses.append(try await fixture.send("POST", "/api/v1/login", body).head.status)
        }
        #expect(statuses.prefix(20).allSatisfy { $0 == 401 })
        #expect(statuses.suffix(5).allSatisfy { $0 == 429 })
        let answer = try await fixture.send("POST", "/api/v1/login", body)
        #expect(answer.head.fields.first("retry-after") == "1")
        // Another address is not held up, nor this one for long.
        #expect(
            try await fixture.send("POST", "/api/v1/login", body, address: "192.0.2.2").head.status
                == 401
        )
        fixture.time.advance(1)
        #expect(try await fixture.send("POST", "/api/v1/login", body).head.status == 401)
    }

    @Test func aMethodThatDoesNotFitIsSaidToBe() async throws {
        let fixture = try await Fixture()
        let answer = try await fixture.send("PUT", "/api/v1/tunnels/x")
        #expect(answer.head.status == 405 && answer.code == "wrong-method")
        #expect(answer.head.fields.first("allow") == "DELETE, GET, HEAD, OPTIONS")
        let options = try await fixture.send("OPTIONS", "/api/v1/tunnels")
        #expect(options.head.status == 204)
        #expect(options.head.fields.first("allow") == "GET, POST, HEAD, OPTIONS")
        #expect(try await fixture.send("GET", "/api/v1/tunnels/x/y/z").head.status == 404)
    }

    @Test func pagesCarryNoScriptOfOthers() async throws {
        let fixture = try await Fixture()
        let answer = try await fixture.send("GET", "/device?code=%3Cscript%3Ealert(1)")
        #expect(answer.head.status == 200)
        let page = String(decoding: answer.body, as: UTF8.self)
        #expect(!page.contains("<script>alert"))
        let policy = try #require(answer.head.fields.first("content-security-policy"))
        #expect(policy.contains("script-src 'none'") && policy.contains("frame-ancestors 'none'"))
        #expect(answer.head.fields.first("cache-control") == "no-store")
    }

    @Test func formsOfOtherSitesAreRefused() async throws {
        let fixture = try await Fixture()
        let code = try await fixture.invite("ann")
        let answer = try await fixture.send(
            "POST",
            "/enrol",
            "code=\(code)",
            fields: ["Origin": "https://evil.test"]
        )
        #expect(answer.head.status == 403)
        let own = try await fixture.send(
            "POST",
            "/enrol",
            "code=\(code)",
            fields: ["Origin": "https://edge.example.test:8443"]
        )
        #expect(own.head.status == 200)
        let cookie = try #require(own.head.fields.first("set-cookie"))
        for word in ["__Host-culvert=cvs_", "Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
            #expect(cookie.contains(word))
        }
        // The cookie opens pages, and not the API.
        let pair = String(cookie.prefix { $0 != ";" })
        let page = try await fixture.send("GET", "/device", fields: ["Cookie": pair])
        #expect(String(decoding: page.body, as: UTF8.self).contains("logged in as"))
        let api = try await fixture.send("GET", "/api/v1/account", fields: ["Cookie": pair])
        #expect(api.head.status == 401)
    }

    @Test func theDescriptionNamesEveryRoute() async throws {
        let fixture = try await Fixture()
        let answer = try await fixture.send("GET", "/api/v1/openapi.json")
        let object = try JSONSerialization.jsonObject(with: answer.body)
        let document = try #require(object as? [String: Any])
        let paths = try #require(document["paths"] as? [String: [String: Any]])
        let token = try await fixture.login("root", role: "admin")
        for (path, operations) in paths {
            for method in operations.keys {
                let filled = path.replacingOccurrences(
                    of: #"\{[a-z]+\}"#,
                    with: "x",
                    options: .regularExpression
                )
                let answer = try await fixture.send(
                    method.uppercased(),
                    "/api/v1\(filled)",
                    "{}",
                    token: token
                )
                // Whatever is wrong with it, there is such a route.
                let detail = (try? answer.document(APIProblem.self))?.detail ?? ""
                #expect(!detail.hasPrefix("there is nothing at"), "\(method) \(path)")
            }
        }
    }
}
