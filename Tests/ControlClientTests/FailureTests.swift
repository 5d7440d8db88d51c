import ConfigurationFile
import ControlAPI
import Foundation
import Testing

@testable import ControlClient

/// Each way in which an edge is not reached, or is not one, and what a person is told.
@Suite(.timeLimit(.minutes(2))) struct FailureTests {
    @Test func problemsAreToldInTheEdgesWords() async throws {
        let edge = try ScriptedEdge([
            "GET /api/v1/account": [.problem(.unknown, "there is no such account")]
        ])
        let error = try await edge.error()
        #expect(error.isUnknown)
        #expect("\(error)" == "there is no such account")
    }

    @Test func whatComesTooSoonIsSentAgainWhenTheEdgeSays() async throws {
        var tooSoon = try ScriptedEdge.Answer.problem(.rateLimited, "too many requests: wait 1 s")
        tooSoon.headers = ["retry-after": "1"]
        let edge = try ScriptedEdge([
            "GET /api/v1/account": [tooSoon, tooSoon, try .document(Sample.account)]
        ])
        let account = try await ControlClient.with(edge.options()) { try await $0.account() }
        #expect(account == Sample.account)
        #expect(try edge.requests().count == 3)
    }

    @Test(arguments: ["11", "86400", "-1", "soon", "Fri, 31 Dec 1999 23:59:59 GMT"])
    func aWaitThatIsTooLongOrNoNumberIsThePersons(pause: String) async throws {
        var tooSoon = try ScriptedEdge.Answer.problem(.rateLimited, "too many requests")
        tooSoon.headers = ["retry-after": pause]
        let edge = try ScriptedEdge(["GET /api/v1/account": [tooSoon]])
        let error = try await edge.error()
        #expect(error.isProblem(.rateLimited))
        #expect(try edge.requests().count == 1)
    }

    @Test func aTokenThatIsNotGoodMeansToLogInAgain() async throws {
        let edge = try ScriptedEdge([
            "GET /api/v1/account": [.problem(.unauthenticated, "no")],
            "POST /api/v1/login": [.problem(.unauthenticated, "the code is not good")],
        ])
        let error = try await edge.error()
        #expect(error == .loggedOut(try EdgeURL("edge.test")))
        #expect(
            "\(error)"
                == "You are logged out at https://edge.test: run `culvert login https://edge.test`."
        )
        // Who has no token yet is not logged out.
        var options = try edge.options()
        options.token = nil
        let other = try await edge.error(options) { client in
            _ = try await client.logIn(EnrolmentDocument(code: "cve_x", label: "laptop"))
        }
        #expect("\(other)" == "the code is not good")
    }

    @Test(arguments: [
        (200, "text/html", "<title>Log in to the hotel's network</title>"),
        (200, "application/json", "{}"), (200, "application/json", ""), (204, "", ""),
        (502, "text/html", "Bad Gateway"), (404, "application/json", #"{"error":"no"}"#),
    ])
    func whatIsNoAnswerOfAnEdgeIsSaidToBe(status: Int, type: String, body: String) async throws {
        let answer = ScriptedEdge.Answer(status: status, type: type, body: body)
        let edge = try ScriptedEdge(["GET /api/v1/account": [answer]])
        let error = try await edge.error()
        guard case .notAnEdge = error else {
            Issue.record("\(error)")
            return
        }
        #expect("\(error)".contains("captive portal"))
        #expect("\(error)".contains("https://edge.test"))
    }

    @Test func redirectsAreNotFollowed() async throws {
        let answer = ScriptedEdge.Answer(
            status: 302,
            headers: ["location": "https://edge.test/elsewhere"]
        )
        let edge = try ScriptedEdge(["GET /api/v1/account": [answer]])
        let error = try await edge.error()
        #expect("\(error)".contains("redirects to https://edge.test/elsewhere"))
        #expect(try edge.requests().count == 1)
    }

    @Test func anAnswerWithoutEndIsGivenUp() async throws {
        let answer = ScriptedEdge.Answer(bytes: APICoding.maximumAnswerBytes + 1)
        let edge = try ScriptedEdge(["GET /api/v1/account": [answer]])
        let error = try await edge.error()
        #expect("\(error)".contains("larger than any"))
    }

    @Test func noAnswerInTime() async throws {
        let edge = try ScriptedEdge(["GET /api/v1/account": [.init(hang: true)]])
        var options = try edge.options()
        options.timeout = .milliseconds(300)
        let error = try await edge.error(options)
        #expect(error == .unreachable(options.edge, .timeout))
    }

    @Test func nobodyListens() async throws {
        let gone: Int
        do { gone = try ScriptedEdge().port }
        let edge = try ScriptedEdge()
        var options = try edge.options()
        options.address = HostPort(host: "127.0.0.1", port: gone)
        let error = try await edge.error(options)
        #expect(error == .unreachable(options.edge, .refused("127.0.0.1:\(gone)")))
    }

    @Test func aNameWithoutAddress() async throws {
        let edge = try ScriptedEdge()
        var options = try edge.options("https://no-such-name.invalid")
        options.address = nil
        let error = try await edge.error(options)
        #expect(error == .unreachable(options.edge, .noSuchName("no-such-name.invalid")))
    }

    @Test func anAuthorityThatNobodyKnows() async throws {
        let edge = try ScriptedEdge()
        var options = try edge.options()
        options.caFile = nil
        let error = try await edge.error(options)
        #expect(error == .unreachable(options.edge, .untrusted))
        #expect("\(error)".contains("--ca-file"))
    }

    @Test func aCertificateForOtherNames() async throws {
        let edge = try ScriptedEdge()
        let options = try edge.options("https://other.test")
        let error = try await edge.error(options)
        #expect(error == .unreachable(options.edge, .otherName))
    }

    @Test func aListenerWithoutTLS() async throws {
        let proxy = try PythonServer("proxy.py", ["user:password"])
        let edge = try ScriptedEdge()
        var options = try edge.options()
        options.connectTimeout = .milliseconds(500)
        options.address = HostPort(host: "127.0.0.1", port: proxy.port)
        let error = try await edge.error(options)
        guard case .unreachable = error else {
            Issue.record("\(error)")
            return
        }
    }

    @Test func aCAFileThatIsNone() async throws {
        let edge = try ScriptedEdge()
        for file in ["/nowhere/ca.pem", edge.certificate.key] {
            var options = try edge.options()
            options.caFile = file
            let error = try await edge.error(options)
            #expect("\(error)".contains(file))
        }
    }

    @Test func theTokenIsInNoText() async throws {
        let edge = try ScriptedEdge()
        let options = try edge.options()
        let error = try await edge.error(options)
        var dumped = ""
        dump(options, to: &dumped)
        for text in ["\(options)", String(reflecting: options), dumped, "\(error)"] {
            #expect(!text.contains("a-secret"))
        }
    }

    @Test func aProxyIsGoneThrough() async throws {
        let edge = try ScriptedEdge(["GET /api/v1/account": [.document(Sample.account)]])
        let proxy = try PythonServer("proxy.py", ["user:pass word"])
        var options = try edge.options()
        options.proxy = try WebProxy(
            environment: ["HTTPS_PROXY": "http://user:pass%20word@127.0.0.1:\(proxy.port)"],
            hosts: ["edge.test"]
        )
        let account = try await ControlClient.with(options) { try await $0.account() }
        #expect(account == Sample.account)
        let targets = try proxy.finish()
        #expect(targets.count == 1, "it was not gone through: \(targets)")
    }

    @Test func aProxyThatWantsALoginIsNamed() async throws {
        let edge = try ScriptedEdge()
        let proxy = try PythonServer("proxy.py", ["user:password"])
        var options = try edge.options()
        options.proxy = try WebProxy(
            environment: ["https_proxy": "http://user:wrong@127.0.0.1:\(proxy.port)"],
            hosts: ["edge.test"]
        )
        let error = try await edge.error(options)
        #expect("\(error)".contains("the proxy http://127.0.0.1:\(proxy.port) wants a login"))
        #expect(!"\(error)".contains("wrong"))
    }
}
