import ConfigurationFile
import CulvertControl
import Foundation
import HTTPSemantics
import Testing

@testable import CulvertEdge

private let keys = [
    "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=",
]

private func parse(_ text: String) throws -> EdgeConfiguration {
    let reader = ConfigurationReader(file: "/etc/culvert/edge.yml", home: nil)
    return try EdgeConfiguration.parse(text, reader: reader)
}

private func problems(_ text: String) -> [String] {
    do {
        _ = try EdgeConfiguration.parse(text, reader: ConfigurationReader(file: "e.yml", home: nil))
        return []
    } catch {
        return error.problems.map(\.description)
    }
}

/// A tunnel with these hostnames, on one line.
private func tunnel(_ hostnames: String) -> String {
    "tunnels: [{name: a, public-key: \(keys[0]), hostnames: [\(hostnames)]}]"
}

private let minimum = "connect: c.test\ntls: [{certificate: a.pem, key: b.pem}]\n"

@Suite struct EdgeConfigurationTests {
    /// The example in `conf/` says what the defaults are, and names every key there is.
    @Test func theExampleIsTheDefaults() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "conf/edge.yml").path
        let reader = ConfigurationReader(file: "edge.yml", home: nil)
        let text = try ConfigurationReader.text(ofFile: file)
        let configuration = try EdgeConfiguration.parse(text, reader: reader)
        var expected = EdgeConfiguration(connect: try NormalizedHost("connect.example.com"))
        expected.domain = try NormalizedHost("example.com")
        expected.control = try NormalizedHost("edge.example.com")
        expected.store = "edge.db"
        expected.certificates = [.init(certificate: "fullchain.pem", key: "key.pem")]
        let key = try #require(TunnelPublicKey(base64: keys[0]))
        let hostnames = [
            ServedHostname(try HostPattern("app.example.com")),
            ServedHostname(try HostPattern("*.demo.example.com"), balance: .leastRequests),
        ]
        expected.tunnels = [.init(name: "demo", publicKey: key, hostnames: hostnames)]
        #expect(configuration == expected)
        #expect(reader.absentKeys == [])
        #expect(reader.notices == [])
    }

    @Test func theDefaults() throws {
        let configuration = try parse(minimum)
        var expected = EdgeConfiguration(connect: try NormalizedHost("c.test"))
        expected.store = "/etc/culvert/edge.db"
        expected.certificates = [
            .init(certificate: "/etc/culvert/a.pem", key: "/etc/culvert/b.pem")
        ]
        #expect(configuration == expected)
        #expect(configuration.listen.https == HostPort(host: "0.0.0.0", port: 443))
        #expect(configuration.listen.http == HostPort(host: "0.0.0.0", port: 80))
        #expect(configuration.listen.metrics == HostPort(host: "127.0.0.1", port: 9090))
        #expect(configuration.listen.plain == .redirect)
        #expect(configuration.resumeWindow == .seconds(30))
        #expect(configuration.gracePeriod == .seconds(30))
        let limits = configuration.limits
        #expect(limits.headerTimeout == .seconds(10) && limits.bodyIdleTimeout == .seconds(60))
        #expect(limits.keepAlive == .seconds(75) && limits.headerBytes == 32_768)
        #expect(limits.headerFields == 100 && limits.bufferedBytes == 65_536)
        #expect(limits.http2Streams == 100 && limits.http2StreamWindowBytes == 65_536)
        #expect(limits.http2ConnectionWindowBytes == 1_048_576 && limits.http2Resets == 200)
        #expect(limits.http2ContinuationFrames == 5 && limits.bodyBytes == nil)
    }

    @Test func theEdgesOwnNamesAreBelowItsDomain() throws {
        let tls = "tls: [{certificate: a.pem, key: b.pem}]\n"
        let configuration = try parse("domain: d.test\n\(tls)")
        #expect(configuration.connect.name == "connect.d.test")
        #expect(configuration.control?.name == "edge.d.test")
        let off = try parse("domain: d.test\ncontrol: off\nstore: off\n\(tls)")
        #expect(off.control == nil && off.store == nil)
    }

    @Test func everyKeyIsRead() throws {
        let configuration = try parse(
            """
            domain: Example.COM
            connect: connect.example.com.
            control: API.example.com
            store: data/edge.db
            listen: {https: "[::]:8443", http: off, plain: serve, metrics: off}
            tls:
              - {certificate: /a.pem, key: /a.key}
              - {certificate: b/b.pem, key: b/b.key}
            tunnels:
              - {name: a, public-key: "\(keys[0])", hostnames: ["*.example.com", bücher.example]}
              - name: b
                public-key: "\(keys[1])"
                hostnames: [{hostname: B.test}, {hostname: "*.b.test", balance: sticky}]
            resume-window: 1m
            grace-period: 5s
            trusted-proxies: [10.0.0.0/8, "2001:db8::/32", 127.0.0.1]
            access-log: true
            limits:
              header-timeout: 1s
              body-idle-timeout: 2s
              keep-alive: 3s
              header-size: 4KiB
              header-fields: 50
              target-size: 1KiB
              body-size: 10MiB
              buffered: 128KiB
              connections: 7
              connections-per-address: 8
              streams: 9
              streams-per-session: 10
              waiting-requests: 0
              http2-streams: 12
              http2-stream-window: 128KiB
              http2-connection-window: 2MiB
              http2-resets: 15
              http2-continuation-frames: 16
              http2-control-frames: 17
              http2-empty-data-frames: 18
            """
        )
        #expect(configuration.domain?.name == "example.com")
        #expect(configuration.connect.name == "connect.example.com")
        #expect(configuration.control?.name == "api.example.com")
        #expect(configuration.store == "/etc/culvert/data/edge.db")
        #expect(configuration.listen.https == HostPort(host: "::", port: 8443))
        #expect(configuration.listen.http == nil && configuration.listen.metrics == nil)
        #expect(configuration.listen.plain == .serve)
        #expect(configuration.certificates.map(\.key) == ["/a.key", "/etc/culvert/b/b.key"])
        #expect(configuration.tunnels.map(\.name) == ["a", "b"])
        let names = configuration.tunnels[0].hostnames.map(\.pattern.description)
        #expect(names == ["*.example.com", "xn--bcher-kva.example"])
        let settled = configuration.tunnels[1].hostnames
        #expect(settled.map(\.pattern.description) == ["b.test", "*.b.test"])
        #expect(settled.map(\.balance) == [.leastRequests, .sticky])
        #expect(configuration.resumeWindow == .seconds(60))
        #expect(configuration.gracePeriod == .seconds(5))
        #expect(configuration.trustedProxies.count == 3)
        #expect(configuration.accessLog)
        var limits = EdgeLimits()
        limits.headerTimeout = .seconds(1)
        limits.bodyIdleTimeout = .seconds(2)
        limits.keepAlive = .seconds(3)
        limits.headerBytes = 4096
        limits.headerFields = 50
        limits.targetBytes = 1024
        limits.bodyBytes = 10 << 20
        limits.bufferedBytes = 128 << 10
        limits.connections = 7
        limits.connectionsPerAddress = 8
        limits.streams = 9
        limits.streamsPerSession = 10
        limits.waitingRequests = 0
        limits.http2Streams = 12
        limits.http2StreamWindowBytes = 128 << 10
        limits.http2ConnectionWindowBytes = 2 << 20
        limits.http2Resets = 15
        limits.http2ContinuationFrames = 16
        limits.http2ControlFrames = 17
        limits.http2EmptyDataFrames = 18
        #expect(configuration.limits == limits)
    }

    @Test func everyProblemIsReportedAtOnce() {
        let text = """
            domian: example.com
            listen: {https: 443, plain: redirekt, metrics: 0.0.0.0:80}
            tls: []
            tunnels:
              - name: a
                public-key: short
                hostnames: [a.test, A.TEST., connect.test, "*", "a*.test"]
              - name: a
                hostnames: [a.test, "*.w.test"]
              - {name: b, public-key: "\(keys[0])", hostnames: "x"}
              - {name: c, public-key: "\(keys[0])", hostnames: ["*.W.test", 1.2.3.4.5]}
            connect: connect.test
            resume-window: 2h
            trusted-proxies: [10.0.0.1/8, nobody]
            limits: {header-size: 1B, keep-alive: 0s, http2-stream: 5, headers: 1, body-size: some}
            """
        let found = problems(text)
        let expected = [
            "e.yml:1:1: domian: unknown key; did you mean `domain`?",
            "e.yml:2:17: listen.https: expected host:port such as",
            "e.yml:2:29: listen.plain: expected one of redirect, serve, found \"redirekt\"; did you mean redirect?",
            "e.yml:2:48: listen.metrics: 0.0.0.0:80 is the address of `http` already",
            "e.yml:3:6: tls: needs at least one certificate and its key",
            "e.yml:6:17: tunnels[0].public-key: expected an Ed25519 public key",
            "e.yml:7:25: tunnels[0].hostnames[1]: a.test is listed already, on line 7",
            "e.yml:7:34: tunnels[0].hostnames[2]: connect.test is the name connectors dial",
            "e.yml:7:48: tunnels[0].hostnames[3]: '*' is not allowed here",
            "e.yml:7:53: tunnels[0].hostnames[4]: hostname 'a*.test'",
            "e.yml:8:5: tunnels[1].public-key: is missing: the line that",
            "e.yml:8:11: tunnels[1].name: \"a\" is the name of the tunnel on line 5 already",
            "e.yml:9:17: tunnels[1].hostnames[0]: a.test belongs to tunnel \"a\" already, on line 7",
            "e.yml:10:86: tunnels[2].hostnames: expected a list",
            "e.yml:11:27: tunnels[3].public-key: is the key of the tunnel on line 10 already",
            "e.yml:11:87: tunnels[3].hostnames[0]: *.w.test belongs to tunnel",
            "e.yml:11:99: tunnels[3].hostnames[1]: hostname '1.2.3.4.5'",
            "e.yml:13:16: resume-window: has to be from 0s to 1h, found 2h",
            "e.yml:14:19: trusted-proxies[0]: ",
            "e.yml:14:31: trusted-proxies[1]: ",
            "e.yml:15:23: limits.header-size: has to be from 1KiB to 44KiB, found 1B",
            "e.yml:15:39: limits.keep-alive: has to be from 100ms to 8760h, found 0s",
            "e.yml:15:43: limits.http2-stream: unknown key; did you mean `http2-streams`?",
            "e.yml:15:60: limits.headers: unknown key",
            "e.yml:15:83: limits.body-size: expected a size",
        ]
        #expect(found.count == expected.count)
        for (line, prefix) in zip(found, expected) {
            #expect(line.hasPrefix(prefix), "\(line) — expected \(prefix)")
        }
    }

    @Test(arguments: [
        ("", "e.yml:1:1: the file is empty"),
        ("- a", "e.yml:1:1: expected `key: value` lines, found a list"),
        ("connect: c.test", "e.yml:1:1: tls: is missing: at least one certificate"),
        (
            "tls: [{certificate: a, key: b}]",
            "e.yml:1:1: connect: is missing: the name connectors dial"
        ),
        (
            "connect: 127.0.0.1\ntls: [{certificate: a, key: b}]",
            "e.yml:1:10: connect: has to be a name"
        ),
        (
            "connect: c.test:443\ntls: [{certificate: a, key: b}]",
            "e.yml:1:10: connect: \"c.test:443\": a port"
        ),
        ("connect: c.test\ntls: [{certificate: a}]", "e.yml:2:7: tls[0].key: is missing"),
        (
            "connect: c.test\ntls: [{certificate: a, key: b, kye: c}]",
            "e.yml:2:32: tls[0].kye: unknown key; did you mean `key`"
        ),
        (
            minimum
                + "tunnels: [{name: a, public-key: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=, hostnames: []}]",
            "e.yml:3:33: tunnels[0].public-key: expected an Ed25519"
        ),
        (
            minimum + tunnel("{hostname: a.test, balance: stickey}"),
            "e.yml:3:119: tunnels[0].hostnames[0].balance: expected one of least-requests, "
                + "round-robin, sticky, found \"stickey\"; did you mean sticky?"
        ),
        (
            minimum + tunnel("{balance: sticky}"),
            "e.yml:3:91: tunnels[0].hostnames[0].hostname: is missing: what visitors reach"
        ),
        (
            minimum + tunnel("{hostname: a.test, balanse: sticky}"),
            "e.yml:3:110: tunnels[0].hostnames[0].balanse: unknown key; did you mean `balance`?"
        ),
        (
            minimum + tunnel("a.test, {hostname: A.test}"),
            "e.yml:3:110: tunnels[0].hostnames[1].hostname: a.test is listed already, on line 3"
        ),
        (minimum + "access-log: file.log", "e.yml:3:13: access-log: expected true or false"),
        (
            minimum + "listen: {http: 0.0.0.0:443}",
            "e.yml:3:16: listen.http: 0.0.0.0:443 is the address of `https`"
        ),
        (minimum + "limits: [1]", "e.yml:3:9: limits: expected `key: value` lines"),
        (
            minimum + "limits: {http2-connection-window: 1KiB}",
            "e.yml:3:35: limits.http2-connection-window: has to be"
        ),
    ])
    func problem(text: String, expected: String) {
        let found = problems(text)
        #expect(found.count == 1, "\(found)")
        #expect(found.first?.hasPrefix(expected) == true, "\(found)")
    }

    @Test func wildcardsMayCoverTheConnectNameAndPortsMayBeChosenBySystem() throws {
        let text = """
            connect: connect.example.com
            tls: [{certificate: a, key: b}]
            listen: {https: "127.0.0.1:0", http: "127.0.0.1:0", metrics: "127.0.0.1:0"}
            tunnels: [{name: a, public-key: "\(keys[0])", hostnames: ["*.example.com"]}]
            """
        #expect(try parse(text).tunnels.count == 1)
    }
}
