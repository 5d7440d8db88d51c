import Foundation
import HTTPSemantics
import Testing

@testable import CulvertConnector

@Suite struct IngressRulesTests {
    private static let text = """
        ingress:
          - hostname: môô.Example.COM
            service: http_status:201
          - hostname: "*.example.com"
            path: ^/a b
            service: http_status:202
          - path: ^/everywhere
            service: http_status:203
          - hostname: "*.xn--m-xgaa.test"
            service: http_status:204
          - hostname: app.example.com.
            service: http_status:205
          - hostname: "*"
            service: http_status:404
        """

    @Test(arguments: [
        ("xn--m-xgaa.example.com", "/", 0), ("MÔÔ.example.com:8443", "/", 0),
        ("a.example.com", "/a%20b", 1),
        ("a.example.com", "/a%2520b", 5), ("a.example.com", "/x?/a b", 5),
        ("example.com", "/a%20b", 5),
        ("badexample.com", "/a%20b", 5), ("q.test", "/everywhere", 2),
        ("q.test", "/%65verywhere", 2),
        ("b.môô.test", "/", 3), ("môô.test", "/", 5), ("app.example.com", "/", 4),
        ("APP.EXAMPLE.COM.:443", "/", 4),
        ("[::1]:80", "/", 5), ("", "/", 5), ("bad host", "/everywhere", 2), ("q.test", "/%", 5),
        ("q.test", "/%zz%6", 5), ("q.test", "", 5), ("q.test", "*", 5),
    ])
    func firstMatchWins(host: String, path: String, index: Int) throws {
        let rules = try parseConfiguration(Self.text).ingress
        #expect(rules.match(host: host, path: path).index == index)
        let normalized = try? NormalizedAuthority(host).host
        #expect(rules.match(host: normalized, path: path).index == index)
    }

    @Test func aSingleRuleTakesEverything() {
        let rules = IngressRules(service: .helloWorld)
        #expect(rules.rules.count == 1)
        #expect(rules.match(host: "a", path: "/").rule.service == .helloWorld)
    }

    @Test func commands() throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "i-\(UInt64.random(in: 0 ... .max))"
        )
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "config.yml").path
        func write(_ text: String) throws { try Data(text.utf8).write(to: URL(filePath: file)) }

        #expect(
            IngressCommands.validate(file: file)
                == .init(
                    text: "Validation failed: 1 problem\n\(file): no such file",
                    succeeded: false
                )
        )
        try write(Self.text + "\nprotocol: quic\n")
        #expect(
            IngressCommands.validate(file: file)
                == .init(
                    text: """
                        Validating rules from \(file)
                        OK
                        Notice: \(file):15:1: protocol: ignored: Culvert always uses WebSocket over TLS on port 443
                        """,
                    succeeded: true
                )
        )
        #expect(
            IngressCommands.rule(file: file, url: "https://x.example.com/a b?q")
                == .init(
                    text: """
                        Using rules from \(file)
                        Matched rule #1
                        \thostname: *.example.com
                        \tpath: ^/a b
                        \tservice: http_status:202
                        """,
                    succeeded: true
                )
        )
        #expect(
            IngressCommands.rule(file: file, url: "x.test").text.hasSuffix(
                "#5\n\tservice: http_status:404"
            )
        )
        #expect(IngressCommands.rule(file: file, url: "http://u@x.test:80?everywhere").succeeded)
        #expect(!IngressCommands.rule(file: file, url: "http:///x").succeeded)
        #expect(!IngressCommands.rule(file: file, url: "").succeeded)
        try write("tunnel: a")
        #expect(!IngressCommands.validate(file: file).succeeded)
        #expect(!IngressCommands.rule(file: file, url: "http://a").succeeded)
        try write("tunel: a\ningress: 5")
        #expect(
            IngressCommands.validate(file: file).text.hasPrefix(
                "Validation failed: 2 problems\n\(file):1:1: tunel: "
            )
        )
    }
}
