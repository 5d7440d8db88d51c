import ControlAPI
import Foundation
import Testing

@testable import ControlClient

/// What goes over the wire, at a real HTTPS server.
@Suite(.timeLimit(.minutes(2))) struct RequestTests {
    @Test func aRequestNamesTheEdgeAndProvesWhoAsks() async throws {
        let edge = try ScriptedEdge(["GET /api/v1/account": [.document(Sample.account)]])
        let account = try await edge.client { try await $0.account() }
        #expect(account == Sample.account)
        let request = try #require(try edge.requests().first)
        #expect(request.headers["authorization"] == "Bearer cvs_a-secret")
        #expect(request.headers["user-agent"] == "culvert/test")
        // Not the address that was dialled.
        #expect(request.headers["host"] == "edge.test")
    }

    @Test func aPortOtherThan443IsPartOfTheHost() async throws {
        let edge = try ScriptedEdge(["GET /api/v1/": [.document(Sample.edge)]])
        let options = try edge.options("https://edge.test:8443")
        let document = try await ControlClient.with(options) { try await $0.edge() }
        #expect(document == Sample.edge)
        #expect(try edge.requests().first?.headers["host"] == "edge.test:8443")
    }

    @Test func whatIsNamedCannotLeaveItsSegment() async throws {
        let edge = try ScriptedEdge()
        for name in ["ann/demo", "..", "a?b#c", "ä", "*.example.com"] {
            _ = try await edge.error { _ = try await $0.tunnel(name) }
        }
        #expect(
            try edge.requests().map(\.request) == [
                "GET /api/v1/tunnels/ann%2Fdemo", "GET /api/v1/tunnels/%2E%2E",
                "GET /api/v1/tunnels/a%3Fb%23c", "GET /api/v1/tunnels/%C3%A4",
                "GET /api/v1/tunnels/%2A.example.com",
            ]
        )
    }

    @Test func tunnelsAreMadeListedAndDeleted() async throws {
        let edge = try ScriptedEdge([
            "POST /api/v1/tunnels": [.document(Sample.tunnel, status: 201)],
            "GET /api/v1/tunnels": [.document(ListDocument([Sample.tunnel]))],
            "GET /api/v1/tunnels?all=true": [.document(ListDocument<TunnelDocument>([]))],
            "DELETE /api/v1/tunnels/t-1?force=true": [.empty],
            "DELETE /api/v1/tunnels/t-1/connectors": [.empty],
        ])
        try await edge.client { client in
            let new = NewTunnelDocument(name: "demo", publicKey: "AA==")
            #expect(try await client.createTunnel(new) == Sample.tunnel)
            #expect(try await client.tunnels().items == [Sample.tunnel])
            #expect(try await client.tunnels(all: true).items.isEmpty)
            try await client.disconnect("t-1")
            try await client.deleteTunnel("t-1", force: true)
        }
        #expect(try edge.requests().first?.body == #"{"name":"demo","public_key":"AA=="}"#)
    }

    @Test func keysAreNamedInBase64URL() async throws {
        let name = "mB3xJb0k_-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        let edge = try ScriptedEdge(["DELETE /api/v1/tunnels/t-1/keys/\(name)": [.empty]])
        try await edge.client { try await $0.deleteKey(Sample.key, of: "t-1") }
        #expect(Sample.key.isNamed(name) && Sample.key.isNamed(Sample.key.publicKey))
        #expect(Sample.key.isNamed("mB3xJb0k") && !Sample.key.isNamed("mB3xJb0"))
        #expect(!Sample.key.isNamed("somethingelse"))
    }

    @Test func aHostnameIsNewOrWasThere() async throws {
        let hostname = HostnameDocument(
            hostname: "app.example.com",
            tunnel: "demo",
            url: "https://app.example.com"
        )
        let path = "PUT /api/v1/tunnels/demo/hostnames/app.example.com"
        let edge = try ScriptedEdge([
            path: [.document(hostname, status: 201), .document(hostname)]
        ])
        try await edge.client { client in
            let first = try await client.route("app.example.com", to: "demo")
            #expect(first.isNew && first.hostname == hostname)
            let change = HostnameChangeDocument(balance: "sticky")
            let second = try await client.route("app.example.com", to: "demo", change)
            #expect(!second.isNew)
        }
        #expect(try edge.requests().map(\.body) == ["", #"{"balance":"sticky"}"#])
    }

    @Test func theAuditTrailIsReadInPages() async throws {
        let first = ListDocument((0..<1_000).map { Sample.entry(2_000 - $0) })
        let second = ListDocument((0..<500).map { Sample.entry(1_000 - $0) })
        let edge = try ScriptedEdge([
            "GET /api/v1/audit?limit=1000": [.document(first)],
            "GET /api/v1/audit?limit=500&before=1001": [.document(second)],
        ])
        let entries = try await edge.client { try await $0.audit(limit: 1_500) }
        #expect(
            entries.items.map(\.revision) == first.items.map(\.revision)
                + second.items.map(\.revision)
        )
        // What details are called is no key of a document.
        #expect(entries.items.first?.details == ["owner": "ann", "some_key": "x"])
    }

    @Test func listsAreReadToTheirLastPage() async throws {
        func page(_ name: String, next: String?) throws -> ScriptedEdge.Answer {
            var tunnel = Sample.tunnel
            tunnel.name = name
            return try .document(ListDocument([tunnel], next: next))
        }
        let edge = try ScriptedEdge([
            "GET /api/v1/tunnels?all=true": [try page("a", next: "ann/a b")],
            "GET /api/v1/tunnels?all=true&after=ann%2Fa%20b": [try page("b", next: "ann/b")],
            "GET /api/v1/tunnels?all=true&after=ann%2Fb": [try page("c", next: nil)],
        ])
        let list = try await edge.client { try await $0.tunnels(all: true) }
        #expect(list.items.map(\.name) == ["a", "b", "c"])
        #expect(list.next == nil)
    }

    @Test func aPageThatFollowsItselfEndsTheReading() async throws {
        let page = ListDocument([Sample.account], next: "ann")
        let edge = try ScriptedEdge([
            "GET /api/v1/accounts": [.document(page)],
            "GET /api/v1/accounts?after=ann": [.document(page)],
        ])
        let error = try await edge.error { _ = try await $0.accounts() }
        #expect("\(error)".contains("follows itself"), "\(error)")
        #expect(try edge.requests().count == 2)
    }

    @Test func sessionsAreOnesOwnOrAnAccounts() async throws {
        let edge = try ScriptedEdge([
            "GET /api/v1/accounts/b%40c/sessions": [.document(ListDocument<SessionDocument>([]))],
            "DELETE /api/v1/accounts/b%40c/sessions/s-1": [.empty],
            "DELETE /api/v1/sessions/s-2": [.empty],
            "DELETE /api/v1/invitations/i-1": [.empty],
        ])
        try await edge.client { client in
            #expect(try await client.sessions(of: "b@c").items.isEmpty)
            try await client.endSession("s-1", of: "b@c")
            try await client.endSession("s-2")
            try await client.withdrawInvitation("i-1")
        }
        #expect(try edge.requests().count == 4)
    }

    @Test func accountsAreChanged() async throws {
        let edge = try ScriptedEdge(["PATCH /api/v1/accounts/b%40c": [.document(Sample.account)]])
        let change = AccountChangeDocument(maximumTunnels: 3, suffixes: ["b.example.com"])
        _ = try await edge.client { try await $0.changeAccount("b@c", change) }
        let body = try edge.requests().first?.body
        #expect(body == #"{"maximum_tunnels":3,"suffixes":["b.example.com"]}"#)
    }

    @Test func aDeviceAsksUntilItIsLetIn() async throws {
        let login = LoginDocument(token: "cvs_new", account: Sample.account)
        let authorization = DeviceAuthorizationDocument(
            deviceCode: "dc",
            userCode: "WDJB-MJHT",
            verificationUri: "https://edge.test/device",
            verificationUriComplete: "https://edge.test/device?code=WDJB-MJHT",
            expiresIn: 60,
            interval: 1
        )
        let edge = try ScriptedEdge([
            "POST /api/v1/device/authorization": [.document(authorization)],
            "POST /api/v1/device/token": [
                .problem(.authorizationPending, "wait"), .document(login),
            ],
        ])
        var options = try edge.options()
        options.token = nil
        var shown: [DeviceAuthorizationDocument] = []
        let answer = try await ControlClient.with(options) { client in
            try await client.logIn(asDevice: "laptop") { shown.append($0) }
        }
        #expect(answer == login)
        #expect(shown == [authorization])
        let requests = try edge.requests()
        #expect(
            requests.map(\.body) == [
                #"{"label":"laptop"}"#, #"{"device_code":"dc"}"#, #"{"device_code":"dc"}"#,
            ]
        )
        #expect(requests.allSatisfy { $0.headers["authorization"] == nil })
    }

    @Test func aDeviceThatIsTurnedAwayStops() async throws {
        let authorization = DeviceAuthorizationDocument(
            deviceCode: "dc",
            userCode: "WDJB-MJHT",
            verificationUri: "https://edge.test/device",
            verificationUriComplete: "https://edge.test/device?code=WDJB-MJHT",
            expiresIn: 60,
            interval: 1
        )
        let edge = try ScriptedEdge([
            "POST /api/v1/device/authorization": [.document(authorization)],
            "POST /api/v1/device/token": [.problem(.accessDenied, "turned away")],
        ])
        let error = try await edge.error { client in
            _ = try await client.logIn(asDevice: "laptop") { _ in }
        }
        #expect(error.isProblem(.accessDenied))
        #expect("\(error)" == "turned away")
    }
}
