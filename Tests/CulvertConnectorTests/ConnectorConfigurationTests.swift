import ConfigurationFile
import Foundation
import Testing

@testable import CulvertConnector

func parseConfiguration(_ text: String, file: String = "/etc/c/config.yml") throws
    -> ConnectorConfiguration
{
    let reader = ConfigurationReader(file: file, home: "/home/me")
    return try ConnectorConfiguration.parse(text, reader: reader)
}

func configurationProblems(_ text: String) -> [String] {
    do {
        _ = try parseConfiguration(text, file: "c.yml")
        return []
    } catch let error as ConfigurationProblems {
        return error.problems.map(\.description)
    } catch {
        return ["\(error)"]
    }
}

@Suite struct ConnectorConfigurationTests {
    @Test func everythingHasItsDefault() throws {
        let configuration = try parseConfiguration("ingress:\n- service: hello_world\n")
        var expected = ConnectorConfiguration()
        expected.hasIngress = true
        expected.ingress = IngressRules(service: .helloWorld)
        #expect(configuration == expected)
        let origin = OriginOptions()
        #expect(origin.connectTimeout == .seconds(30))
        #expect(origin.tlsTimeout == .seconds(10))
        #expect(origin.tcpKeepAlive == .seconds(30))
        #expect(origin.keepAliveConnections == 100)
        #expect(origin.keepAliveTimeout == .seconds(90))
        #expect(!origin.noHappyEyeballs && !origin.noTLSVerify && !origin.matchSNItoHost)
        #expect(!origin.disableChunkedEncoding && origin.caPool == nil)
    }

    @Test func everyKeyIsRead() throws {
        let configuration = try parseConfiguration(
            """
            tunnel: demo
            credentials-file: demo.json
            edge: connect.example.com
            edge-address: 127.0.0.1:8443
            ca-file: ~/ca.pem
            metrics: localhost:0
            loglevel: debug
            grace-period: 1m
            originRequest:
              connectTimeout: 1s
              tlsTimeout: 2
              tcpKeepAlive: 0s
              noHappyEyeballs: true
              keepAliveConnections: 7
              keepAliveTimeout: 1m30s
              httpHostHeader: "local.test:8080"
              originServerName: cert.test
              matchSNItoHost: true
              caPool: /etc/ca.pem
              noTLSVerify: true
              disableChunkedEncoding: true
              http2Origin: true
            ingress:
              - service: http://localhost:3000
            """
        )
        #expect(configuration.tunnel == "demo")
        #expect(configuration.credentialsFile == "/etc/c/demo.json")
        #expect(configuration.edge == HostPort(host: "connect.example.com", port: 443))
        #expect(configuration.edgeAddress == HostPort(host: "127.0.0.1", port: 8443))
        #expect(configuration.caFile == "/home/me/ca.pem")
        #expect(configuration.metrics == HostPort(host: "localhost", port: 0))
        #expect(configuration.logLevel == .debug)
        #expect(configuration.gracePeriod == .seconds(60))
        var origin = OriginOptions()
        origin.connectTimeout = .seconds(1)
        origin.tlsTimeout = .seconds(2)
        origin.tcpKeepAlive = .zero
        origin.noHappyEyeballs = true
        origin.keepAliveConnections = 7
        origin.keepAliveTimeout = .seconds(90)
        origin.httpHostHeader = "local.test:8080"
        origin.originServerName = "cert.test"
        origin.matchSNItoHost = true
        origin.caPool = "/etc/ca.pem"
        origin.noTLSVerify = true
        origin.disableChunkedEncoding = true
        origin.http2Origin = true
        #expect(configuration.originRequest == origin)
        #expect(configuration.ingress.rules[0].originRequest == origin)
        #expect(configuration.notices == [])
    }

    /// The example in `conf/` says what the defaults are, and names every key there is.
    @Test func theExampleIsTheDefaults() throws {
        let file = repositoryFile("conf/config.yml")
        let reader = ConfigurationReader(file: "config.yml", home: nil)
        let text = try ConfigurationReader.text(ofFile: file)
        let configuration = try ConnectorConfiguration.parse(text, reader: reader)
        var expected = ConnectorConfiguration()
        expected.tunnel = "demo"
        expected.credentialsFile = "demo.json"
        expected.edge = HostPort(host: "connect.example.com", port: 443)
        expected.hasIngress = true
        expected.ingress = configuration.ingress
        #expect(configuration == expected)
        #expect(
            configuration.ingress.rules.map(\.multiLineDescription) == [
                "\thostname: app.example.com\n\tpath: ^/api\n\tservice: http://localhost:8000",
                "\thostname: ssh.example.com\n\tservice: ssh://localhost:22",
                "\thostname: *.demo.example.com\n\tservice: unix:/run/demo.sock",
                "\tservice: http_status:404",
            ]
        )
        let absent = reader.absentKeys.filter { key in
            // What a rule may leave out, and cloudflared's keys from before there were rules.
            !key.hasPrefix("ingress[") && !legacyKeys.contains(key)
        }
        #expect(absent == [])
    }

    @Test func ruleOverridesGlobalKeyByKey() throws {
        let rules = try parseConfiguration(
            """
            originRequest: {connectTimeout: 5s, noTLSVerify: true, caPool: a.pem}
            ingress:
              - hostname: a.test
                service: https://localhost
                originRequest: {connectTimeout: 6s, noTLSVerify: false, httpHostHeader: b}
              - service: https://localhost
            """
        ).ingress.rules
        #expect(rules[0].originRequest.connectTimeout == .seconds(6))
        #expect(rules[0].originRequest.noTLSVerify == false)
        #expect(rules[0].originRequest.caPool == "/etc/c/a.pem")
        #expect(rules[0].originRequest.httpHostHeader == "b")
        #expect(rules[1].originRequest.connectTimeout == .seconds(5))
        #expect(rules[1].originRequest.noTLSVerify)
        #expect(rules[1].originRequest.httpHostHeader == nil)
    }

    @Test func defaultsCanBeShared() throws {
        let rules = try parseConfiguration(
            """
            ingress:
              - hostname: a.test
                service: https://localhost
                originRequest: &defaults {connectTimeout: 6s}
              - hostname: b.test
                service: https://localhost
                originRequest: {<<: *defaults, noTLSVerify: true}
              - service: http_status:404
            """
        ).ingress.rules
        #expect(rules[1].originRequest.connectTimeout == .seconds(6))
        #expect(rules[1].originRequest.noTLSVerify)
    }

    // MARK: Problems

    @Test func everyProblemIsReportedAtOnce() {
        let text = """
            tunel: demo
            edge: "connect.example.com:99999"
            loglevel: verbose
            metrics: 9090
            originRequest:
              connectTimeout: 30 s
              noTLSverify: true
              keepAliveConnections: many
            ingress:
              - hostname: app.example.com:443
                service: http://localhost:8000/path
              - hostname: "te*st.example.com"
                path: "*/x"
                servce: http://localhost
              - service: http://localhost:1
              - hostname: db.example.com
                service: tcp://localhost:5432
                originRequest:
                  access: {required: true, teamName: t, audTag: [a]}
              - hostname: last.example.com
                service: http_status:99
            grace-period: [1]
            """
        let expected = [
            "c.yml:1:1: tunel: unknown key; did you mean `tunnel`?",
            "c.yml:2:7: edge: the port has to be from 0 to 65535, found \"connect.example.com:99999\"",
            "c.yml:3:11: loglevel: expected one of debug, info, warn, error, fatal, found \"verbose\"",
            "c.yml:4:10: metrics: expected host:port such as 127.0.0.1:8080 or [::1]:8080, found \"9090\"",
            "c.yml:6:19: originRequest.connectTimeout: expected a time such as 30s, 1m30s or 500ms, found \"30 s\"",
            "c.yml:7:3: originRequest.noTLSverify: unknown key; did you mean `noTLSVerify`?",
            "c.yml:8:25: originRequest.keepAliveConnections: expected a whole number, found \"many\"",
            "c.yml:10:15: ingress[0].hostname: hostname 'app.example.com:443': a port does not belong here: name the host only",
            "c.yml:11:14: ingress[0].service: \"http://localhost:8000/path\" has a path: the path is always the request's own; remove \"/path\"",
            "c.yml:12:15: ingress[1].hostname: hostname 'te*st.example.com': '*' can only be the whole first label of a name, as in '*.example.com'",
            "c.yml:12:5: ingress[1].service: is missing: what the rule sends requests to",
            "c.yml:13:11: ingress[1].path: \"*/x\" is not a regular expression: missing argument to repetition operator: `*`",
            "c.yml:14:5: ingress[1].servce: unknown key; did you mean `service`?",
            "c.yml:15:5: ingress[2]: takes every request, so the rules after it are never reached; give it a hostname or a path, or make it the last one",
            "c.yml:19:26: ingress[3].originRequest.access.required: Culvert cannot check Cloudflare Access tokens, and serving this without them would open it to everybody; remove `access` only if that is meant",
            "c.yml:20:15: ingress[4].hostname: the last rule has to take every request, without hostname and path; add one after it: `- service: http_status:404`",
            "c.yml:21:14: ingress[4].service: the status has to be from 100 to 999, found \"http_status:99\"",
            "c.yml:22:15: grace-period: expected a time such as 30s, 1m30s or 500ms, found a list",
        ]
        let found = configurationProblems(text)
        #expect(Set(found) == Set(expected))
        #expect(found.count == expected.count)
        for (line, wanted) in zip(found, expected.sorted(by: byPlace)) { #expect(line == wanted) }
    }

    /// One problem each, at this place and for this key.
    @Test(arguments: [
        ("ingress: []", "c.yml:1:10: ingress: has no rules"),
        ("ingress: {}", "c.yml:1:10: ingress: expected a list"),
        ("ingress:\n- 5", "c.yml:2:3: ingress[0]: expected `key: value` lines, found \"5\""),
        (
            "ingress:\n- hostname: a.test\n  service: http://l",
            "c.yml:2:13: ingress[0].hostname: the last rule"
        ),
        ("ingress:\n- service: http://l\n  path: /a", "c.yml:3:9: ingress[0].path: the last rule"),
        (
            "ingress:\n- hostname: '*'\n  service: http://l\n- service: http://l",
            "c.yml:2:3: ingress[0]: takes every"
        ),
        (
            "ingress:\n- service: localhost:8000",
            "c.yml:2:12: ingress[0].service: \"localhost:8000\" needs a scheme"
        ),
        (
            "ingress:\n- service: https://local host:8000",
            "c.yml:2:12: ingress[0].service: \"https://local host"
        ),
        (
            "ingress:\n- service: https://localhost:8000/static/",
            "c.yml:2:12: ingress[0].service: \"https://"
        ),
        (
            "ingress:\n- service: http://u:p@localhost",
            "c.yml:2:12: ingress[0].service: \"http://u:p@localhost\" has a user"
        ),
        ("ingress:\n- service: 'http://'", "c.yml:2:12: ingress[0].service: \"http://\" "),
        (
            "ingress:\n- service: http://localhost:0",
            "c.yml:2:12: ingress[0].service: \"http://localhost:0\" needs"
        ),
        (
            "ingress:\n- service: ftp://localhost",
            "c.yml:2:12: ingress[0].service: unknown kind of service"
        ),
        (
            "ingress:\n- service: http_status:asdf",
            "c.yml:2:12: ingress[0].service: the status has to be"
        ),
        (
            "ingress:\n- service: http_status:103",
            "c.yml:2:12: ingress[0].service: http_status:103 is no final"
        ),
        (
            "ingress:\n- service: http_status:8080",
            "c.yml:2:12: ingress[0].service: the status has to be"
        ),
        ("ingress:\n- service: 'unix:'", "c.yml:2:12: ingress[0].service: a socket's path"),
        ("ingress:\n- service:", "c.yml:2:3: ingress[0].service: is missing"),
        (
            "originRequest: {bastionMode: perhaps}",
            "c.yml:1:30: originRequest.bastionMode: expected true or false"
        ),
        (
            "originRequest: {proxyType: http}",
            "c.yml:1:28: originRequest.proxyType: expected socks"
        ),
        (
            "originRequest: {ipRules: [{ports: [22]}]}",
            "c.yml:1:27: originRequest.ipRules[0].prefix: is missing"
        ),
        (
            "originRequest: {ipRules: [{prefix: 10.0.0.0/33}]}",
            "c.yml:1:36: originRequest.ipRules[0].prefix: '10.0.0.0/33'"
        ),
        (
            "originRequest: {ipRules: [{prefix: 10.0.0.0/8, ports: [0]}]}",
            "c.yml:1:56: originRequest.ipRules[0].ports[0]: has to be from 1 to 65535"
        ),
        (
            "originRequest: {ipRules: [{prefix: 10.0.0.0/8, alow: true}]}",
            "c.yml:1:48: originRequest.ipRules[0].alow: unknown key; did you mean `allow`?"
        ),
        (
            "ingress:\n- service: ssh://localhost/x",
            "c.yml:2:12: ingress[0].service: \"ssh://localhost/x\" has a path: TCP has none"
        ),
        (
            "ingress:\n- service: ssh://local host",
            "c.yml:2:12: ingress[0].service: \"ssh://local host\" is not an address"
        ),
        (
            "ingress:\n- hostname: a..b\n  service: http://l\n- service: http://l",
            "c.yml:2:13: ingress[0].hostname: hostname 'a..b'"
        ),
        ("ingress:\n- hostname: *.a.b\n  service: http://l", "c.yml:2:14: not valid YAML"),
        (
            "originRequest: {access: {required: yes}}",
            "c.yml:1:36: originRequest.access.required: Culvert cannot"
        ),
        (
            "originRequest: {httpHostHeader: \"a\\r\\nb: c\"}",
            "c.yml:1:33: originRequest.httpHostHeader: expected a host"
        ),
        ("edge-address: ':443'", "c.yml:1:15: edge-address: needs a host"),
        (
            "url: http://localhost:8000\nunix-socket: /s",
            "c.yml:2:14: unix-socket: cannot be combined"
        ),
        ("token: abc", "c.yml:1:8: token: a token is a secret"),
        ("protocl: quic", "c.yml:1:1: protocl: unknown key"),
        (
            "tunnel: a\ntunnel: b",
            "c.yml:2:1: `tunnel` is given more than once here, first on line 1"
        ),
        (
            "ingress:\n- service: http_status:404\n  service: hello_world",
            "c.yml:3:3: `service` is given more than once"
        ),
        ("", "c.yml:1:1: the file is empty"),
    ])
    func problem(text: String, expected: String) {
        let found = configurationProblems(text)
        #expect(found.count == 1, "\(found)")
        #expect(found.first?.hasPrefix(expected) == true, "\(found)")
    }
}

private let legacyKeys: Set<String> = [
    "cred-file", "token", "hello-world", "bastion", "url", "unix-socket", "proxy-connect-timeout",
    "proxy-tls-timeout", "proxy-tcp-keepalive", "proxy-no-happy-eyeballs",
    "proxy-keepalive-connections", "proxy-keepalive-timeout", "http-host-header",
    "origin-server-name", "match-sni-to-host", "origin-ca-pool", "no-tls-verify",
    "no-chunked-encoding", "http2-origin", "socks5",
]

/// Orders `c.yml:LINE:COLUMN: …` by place.
private func byPlace(_ left: String, _ right: String) -> Bool {
    func place(_ line: String) -> (Int, Int) {
        let parts = line.split(separator: ":")
        return (Int(parts[1]) ?? 0, Int(parts[2]) ?? 0)
    }
    return place(left) < place(right)
}

/// A file of the project, wherever it is checked out.
private func repositoryFile(_ path: String) -> String {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: path).path
}
