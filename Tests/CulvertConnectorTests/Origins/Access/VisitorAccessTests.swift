import ConfigurationFile
import Foundation
import HTTPSemantics
import Testing

@testable import CulvertConnector

/// Who is let in by `basicAuth` and `cidrAllow`.
@Suite struct VisitorAccessTests {
    private func head(_ fields: HTTPFields) -> RequestHead {
        RequestHead(
            method: "GET",
            scheme: "https",
            authority: "a.test",
            path: "/",
            fields: fields
        )
    }

    private func basic(_ credentials: String, scheme: String = "Basic") -> HTTPFields {
        ["Authorization": "\(scheme) \(Data(credentials.utf8).base64EncodedString())"]
    }

    private func access(
        logins: [String] = [],
        ranges: [String] = []
    ) throws -> VisitorAccess {
        var access = VisitorAccess()
        access.logins = try logins.map { try BasicLogin($0) }
        access.ranges = try ranges.map { try AddressRange($0) }
        return access
    }

    @Test func withoutEitherEverybodyIsLetIn() {
        #expect(VisitorAccess().isOpen)
        #expect(VisitorAccess().decide(self.head([:])) == .admitted)
    }

    @Test(arguments: ["ann:correct-horse", "bob:with:colons:", "émile:päßwörter"])
    func eachLoginLetsIn(credentials: String) throws {
        let logins = ["ann:correct-horse", "bob:with:colons:", "émile:päßwörter"]
        let access = try self.access(logins: logins)
        for scheme in ["Basic", "basic", "BASIC"] {
            let fields = self.basic(credentials, scheme: scheme)
            #expect(access.decide(self.head(fields)) == .admitted)
        }
    }

    @Test(arguments: [
        "ann:correct-hors", "ann:correct-horse ", "Ann:correct-horse", "ann:", ":correct-horse", "",
        "ann", "correct-horse:ann",
    ])
    func othersAreAsked(credentials: String) throws {
        let access = try self.access(logins: ["ann:correct-horse"])
        #expect(access.decide(self.head(self.basic(credentials))) == .unauthorized)
    }

    @Test func whatIsNoBasicLoginIsNone() throws {
        let access = try self.access(logins: ["ann:correct-horse"])
        let good = Data("ann:correct-horse".utf8).base64EncodedString()
        for value in ["", "Basic", "Basic ", "Bearer \(good)", "Basic %%%", good, "Basic\(good)"] {
            let decision = access.decide(self.head(["Authorization": value]))
            #expect(decision == .unauthorized, "\(value)")
        }
        #expect(access.decide(self.head([:])) == .unauthorized)
        var twice = self.basic("ann:correct-horse")
        twice.append("Authorization", "Basic \(good)")
        #expect(access.decide(self.head(twice)) == .unauthorized)
    }

    /// The edge sets X-Forwarded-For; of several addresses the last is a proxy that it trusts.
    @Test(arguments: [
        ("192.0.2.7", true), ("192.0.3.7", false), ("::ffff:192.0.2.7", true),
        ("2001:db8::1", true),
        ("2001:db9::1", false), ("192.0.2.7, 10.0.0.1", true), ("192.0.3.7,192.0.2.7", false),
        ("192.0.2.9, 192.0.3.7, 10.0.0.1", false), ("", false), ("unknown", false), (",", false),
    ])
    func theAddressDecides(addresses: String, isLetIn: Bool) throws {
        let access = try self.access(ranges: ["192.0.2.0/24", "2001:db8::/32"])
        let decision = access.decide(self.head(["X-Forwarded-For": addresses]))
        #expect(decision == (isLetIn ? .admitted : .forbidden))
    }

    @Test func aWrongAddressIsNotEvenAsked() throws {
        let access = try self.access(logins: ["ann:correct-horse"], ranges: ["192.0.2.7"])
        var fields = self.basic("ann:correct-horse")
        #expect(access.decide(self.head(fields)) == .forbidden)
        fields.append("X-Forwarded-For", "192.0.2.7")
        #expect(access.decide(self.head(fields)) == .admitted)
        #expect(access.decide(self.head(["X-Forwarded-For": "192.0.2.7"])) == .unauthorized)
    }

    @Test func aCallIsRefusedInGRPCsForm() throws {
        let call = self.head(["Content-Type": "application/grpc"])
        let answer = try #require(LocalAnswer.refusal(.forbidden, call))
        #expect(answer.head.status == 200 && answer.insteadOf == 403 && answer.body == nil)
        #expect(answer.head.fields.first("grpc-status") == "7")
        let asked = try #require(LocalAnswer.refusal(.unauthorized, self.head([:])))
        #expect(asked.head.status == 401 && asked.insteadOf == nil)
        #expect(asked.head.fields.contains("WWW-Authenticate"))
    }

    @Test(arguments: [
        ("ann", BasicLoginError.notALogin), (":password", .notALogin), ("", .notALogin),
        ("ann:short12", .shortPassword), ("ann:pass\u{7}word1", .controlCharacter),
    ])
    func whatIsNoLogin(text: String, expected: BasicLoginError) {
        #expect(throws: expected) { try BasicLogin(text) }
    }

    @Test func rulesHaveThem() throws {
        let configuration = try parseConfiguration(
            """
            tunnel: demo
            originRequest:
              basicAuth: [ann:correct-horse]
              cidrAllow: 192.0.2.0/24
            ingress:
              - hostname: open.test
                service: hello_world
                originRequest: {basicAuth: [], cidrAllow: []}
              - service: hello_world
            """
        )
        let expected = try self.access(logins: ["ann:correct-horse"], ranges: ["192.0.2.0/24"])
        #expect(configuration.ingress.rules.map(\.originRequest.access) == [.init(), expected])
    }

    @Test func aMistakeIsNamedWithoutThePassword() {
        let error = #expect(throws: ConfigurationProblems.self) {
            try parseConfiguration(
                """
                originRequest:
                  basicAuth: [ann:correct-horse, "secret"]
                  cidrAllow: [10.0.0.0/8, nonsense]
                ingress: [{service: hello_world}]
                """
            )
        }
        let text = error?.description ?? ""
        #expect(text.contains(":2:") && text.contains("basicAuth[1]: is no user:password"))
        #expect(text.contains(":3:") && text.contains("cidrAllow[1]: 'nonsense'"))
        #expect(!text.contains("secret"))
    }
}
