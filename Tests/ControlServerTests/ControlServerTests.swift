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
    @Test func whoIsInvitedIsLetInOnce() async throws {
        let fixture = try await ControlFixture()
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
        let fixture = try await ControlFixture()
        let code = try await fixture.invite("ann")
        fixture.time.advance(Int(Invitation.lifetimeSeconds))
        let body = #"{"code":"\#(code)","label":""}"#
        #expect(try await fixture.send("POST", "/api/v1/login", body).head.status == 401)
    }

    @Test func aSessionThatEndsIsGoodForNothingAtOnce() async throws {
        let fixture = try await ControlFixture()
        let token = try await fixture.login("ann")
        let end = try await fixture.send("DELETE", "/api/v1/sessions/current", token: token)
        #expect(end.head.status == 204 && end.body.isEmpty && end.isComplete)
        #expect(try await fixture.send("GET", "/api/v1/account", token: token).head.status == 401)
    }

    @Test func aSessionThatNobodyUsesEnds() async throws {
        let fixture = try await ControlFixture()
        let token = try await fixture.login("ann")
        fixture.time.advance(Int(AccessToken.idleSeconds) - 1)
        #expect(try await fixture.send("GET", "/api/v1/account", token: token).head.status == 200)
        // That was a use, so it begins again.
        fixture.time.advance(Int(AccessToken.idleSeconds) - 1)
        #expect(try await fixture.send("GET", "/api/v1/account", token: token).head.status == 200)
        fixture.time.advance(Int(AccessToken.idleSeconds))
        let answer = try await fixture.send("GET", "/api/v1/account", token: token)
        #expect(answer.head.status == 401)
        let problem = try answer.document(APIProblem.self)
        #expect(problem.detail.contains("culvert login"))
    }

    @Test func aSessionEndsInAYearHoweverMuchItIsUsed() async throws {
        let fixture = try await ControlFixture()
        let token = try await fixture.login("ann")
        let step = Int(AccessToken.lifetimeSeconds) / 10
        for _ in 1..<10 {
            fixture.time.advance(step)
            let answer = try await fixture.send("GET", "/api/v1/account", token: token)
            #expect(answer.head.status == 200)
        }
        fixture.time.advance(step)
        let answer = try await fixture.send("GET", "/api/v1/account", token: token)
        #expect(answer.head.status == 401)
    }

    @Test func aUseIsWrittenOnceADay() async throws {
        let fixture = try await ControlFixture()
        let token = try await fixture.login("ann")
        let path = "/api/v1/sessions"
        func session() async throws -> SessionDocument? {
            try await fixture.send("GET", path, token: token)
                .document(ListDocument<SessionDocument>.self).items.first
        }
        let made = await fixture.control.registry.revision
        let fresh = try #require(try await session())
        #expect(fresh.usedAt == nil)
        #expect(fresh.expiresAt == fixture.time.now + AccessToken.idleSeconds)
        #expect(await fixture.control.registry.revision == made)
        fixture.time.advance(86_400)
        for _ in 1...5 {
            #expect(try await session()?.usedAt == fixture.time.now)
            #expect(
                await fixture.control.registry.revision == StoreRevision(made.number + 1)
            )
        }
    }

    @Test func nothingIsSaidWithoutTLS() async throws {
        let fixture = try await ControlFixture()
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
            ("GET", "/accounts/x/sessions"), ("DELETE", "/accounts/x/sessions/y"),
            ("GET", "/invitations"), ("DELETE", "/invitations/x"),
            ("POST", "/device/approval"),
        ]
    )
    func everythingElseNeedsALogin(method: String, path: String) async throws {
        let fixture = try await ControlFixture()
        // Bodies are well-formed, so that it is not they that are refused.
        let bodies = [
            "POST /tunnels": Bodies.tunnel("x", key: 1),
            "POST /tunnels/x/keys": #"{"public_key":"\#(Bodies.key(1))","label":""}"#,
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
        let areForAdmins = ["/accounts", "/audit", "/invitations"]
        if areForAdmins.contains(where: { path.hasPrefix($0) }) {
            #expect(known.head.status == 403)
        }
    }

    @Test func aDeviceIsLetInByWhoeverIsLoggedIn() async throws {
        let fixture = try await ControlFixture()
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
            (#"{"name":"a b","public_key":"\#(Bodies.key(1))"}"#, "is no name"),
            ("", "no JSON object"),
        ]
    )
    func badBodiesAreSaidToBe(body: String, words: String) async throws {
        let fixture = try await ControlFixture()
        let token = try await fixture.login("ann")
        let answer = try await fixture.send("POST", "/api/v1/tunnels", body, token: token)
        #expect(answer.head.status == 400)
        let problem = try answer.document(APIProblem.self)
        #expect(problem.detail.contains(words), "\(problem.detail)")
        #expect(answer.head.fields.first("content-type") == "application/problem+json")
    }

    @Test func aBodyThatIsTooLongIsRefused() async throws {
        let fixture = try await ControlFixture()
        let token = try await fixture.login("ann")
        let body = String(repeating: " ", count: APICoding.maximumRequestBytes + 1)
        let answer = try await fixture.send("POST", "/api/v1/tunnels", body, token: token)
        #expect(answer.head.status == 413 && answer.code == "too-large")
    }

    @Test func codesCannotBeTriedFast() async throws {
        let fixture = try await ControlFixture()
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
        let fixture = try await ControlFixture()
        let answer = try await fixture.send("PUT", "/api/v1/tunnels/x")
        #expect(answer.head.status == 405 && answer.code == "wrong-method")
        #expect(answer.head.fields.first("allow") == "DELETE, GET, HEAD, OPTIONS")
        let options = try await fixture.send("OPTIONS", "/api/v1/tunnels")
        #expect(options.head.status == 204)
        #expect(options.head.fields.first("allow") == "GET, POST, HEAD, OPTIONS")
        #expect(try await fixture.send("GET", "/api/v1/tunnels/x/y/z").head.status == 404)
    }

    @Test func pagesCarryNoScriptOfOthers() async throws {
        let fixture = try await ControlFixture()
        let answer = try await fixture.send("GET", "/device?code=%3Cscript%3Ealert(1)")
        #expect(answer.head.status == 200)
        let page = String(decoding: answer.body, as: UTF8.self)
        #expect(!page.contains("<script>alert"))
        let policy = try #require(answer.head.fields.first("content-security-policy"))
        #expect(policy.contains("script-src 'none'") && policy.contains("frame-ancestors 'none'"))
        #expect(answer.head.fields.first("cache-control") == "no-store")
    }

    @Test func formsOfOtherSitesAreRefused() async throws {
        let fixture = try await ControlFixture()
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
        let fixture = try await ControlFixture()
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
