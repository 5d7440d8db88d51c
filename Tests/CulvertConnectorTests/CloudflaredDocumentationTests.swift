import ConfigurationFile
import HTTPSemantics
import Testing

@testable import CulvertConnector

/// The configuration files in cloudflared's documentation and tests.
@Suite struct CloudflaredDocumentationTests {
    private static let severalRules = #"""
        tunnel: 6ff42ae2-765d-4adf-8112-31c55c1551ef
        credentials-file: /root/.cloudflared/6ff42ae2-765d-4adf-8112-31c55c1551ef.json

        ingress:
          # Rules map traffic from a hostname to a local service:
          - hostname: example.com
            service: https://localhost:8000
          # Rules can match the request's path to a regular expression:
          - hostname: static.example.com
            path: \.(jpg|png|css|js)$
            service: https://localhost:8001
          # Rules can match the request's hostname to a wildcard character:
          - hostname: "*.example.com"
            service: https://localhost:8002
          # An example of a catch-all rule:
          - service: https://localhost:8003
        """#

    @Test(arguments: [
        ("example.com", "/", 0), ("static.example.com", "/a.css", 1),
        ("static.example.com", "/a", 2),
        ("static.example.com", "/a.css?x=.js", 1), ("static.example.com", "/a?x=.css", 2),
        ("www.example.com", "/", 2), ("a.b.example.com", "/", 2), ("other.com", "/a.css", 3),
    ])
    func severalRules(host: String, path: String, index: Int) throws {
        let configuration = try parseConfiguration(Self.severalRules)
        #expect(configuration.tunnel == "6ff42ae2-765d-4adf-8112-31c55c1551ef")
        #expect(
            configuration.credentialsFile
                == "/root/.cloudflared/6ff42ae2-765d-4adf-8112-31c55c1551ef.json"
        )
        #expect(configuration.notices == [])
        #expect(configuration.ingress.match(host: host, path: path).index == index)
    }

    @Test func olderPathExpression() throws {
        let rules = try parseConfiguration(
            """
            ingress:
              - hostname: static.example.com
                path: /*.(jpg|png|css|js)
                service: https://localhost:8001
              - service: https://localhost:8003
            """
        ).ingress
        #expect(rules.match(host: "static.example.com", path: "/x/a.png").index == 0)
        #expect(rules.match(host: "static.example.com", path: "/x").index == 1)
    }

    @Test func originConfiguration() throws {
        let rules = try parseConfiguration(
            """
            tunnel: 6ff42ae2-765d-4adf-8112-31c55c1551ef
            credentials-file: /root/.cloudflared/6ff42ae2-765d-4adf-8112-31c55c1551ef.json
            originRequest: # Top-level configuration
              connectTimeout: 30s

            ingress:
              # The localhost:8000 service inherits all root-level configuration.
              # In other words, it will use a connectTimeout of 30 seconds.
              - hostname: example.com
                service: https://localhost:8000
              - hostname: example2.com
                service: https://localhost:8001
                # The localhost:8001 service overrides some root-level config.
                originRequest:
                  connectTimeout: 10s
                  disableChunkedEncoding: true
              # Some built-in services such as `http_status` do not use any configuration.
              # The service will simply respond with HTTP 404.
              - service: http_status:404
            """
        ).ingress.rules
        #expect(
            rules.map(\.originRequest.connectTimeout) == [.seconds(30), .seconds(10), .seconds(30)]
        )
        #expect(rules.map(\.originRequest.disableChunkedEncoding) == [false, true, false])
        #expect(
            rules.map(\.service.description) == [
                "https://localhost:8000", "https://localhost:8001", "http_status:404",
            ]
        )
    }

    /// Their file with an SSH service.
    @Test func anSSHService() throws {
        let text = """
            tunnel: 6ff42ae2-765d-4adf-8112-31c55c1551ef
            credentials-file: /root/.cloudflared/6ff42ae2-765d-4adf-8112-31c55c1551ef.json
            ingress:
              - hostname: gitlab.widgetcorp.tech
                service: http://localhost:80
              - hostname: gitlab-ssh.widgetcorp.tech
                service: ssh://localhost:22
              - hostname: staging.example.com
                service: unix:/home/production/echo.sock
              - hostname: test.example.com
                service: hello_world
              - service: http_status:404
            """
        let configuration = try parseConfiguration(text)
        #expect(configuration.notices == [])
        let rules = configuration.ingress.rules
        #expect(rules[1].service == .tcp(.ssh, host: "localhost", port: 22))
        #expect(rules[0].service == .http(host: "localhost", port: 80))
    }

    /// Their bastion and SOCKS proxy, and the rules that bound them.
    @Test func servicesThatGoWhereTheVisitorSays() throws {
        let configuration = try parseConfiguration(
            """
            ingress:
              - hostname: bastion.example.com
                service: bastion
              - hostname: mode.example.com
                originRequest: {bastionMode: true}
              - hostname: url.example.com
                service: https://localhost:8000
                originRequest: {bastionMode: true}
              - hostname: socks.example.com
                service: socks-proxy
                originRequest:
                  ipRules:
                  - prefix: 1.1.1.1/32
                    ports: [80, 443]
                    allow: true
                  - prefix: 10.1.2.3/8
                    allow: false
                  - prefix: 0.0.0.0/0
              - hostname: none.example.com
                service: socks-proxy
              - hostname: tcp.example.com
                service: tcp://localhost:8000
                originRequest:
                  proxyType: socks
                  ipRules: [{prefix: 10.0.0.0/8}]
              - service: http_status:404
            """
        )
        let rules = configuration.ingress.rules
        #expect(
            rules.map(\.service.description) == [
                "bastion", "bastion", "bastion", "socks-proxy", "socks-proxy",
                "tcp://localhost:8000", "http_status:404",
            ]
        )
        #expect(rules.map(\.isUnboundedBastion) == [true, true, true, false, false, false, false])
        #expect(
            rules[3].originRequest.ipRules == [
                IPRule(prefix: try AddressRange("1.1.1.1"), ports: [80, 443], allow: true),
                IPRule(prefix: try AddressRange("10.0.0.0/8"), allow: false),
                IPRule(prefix: try AddressRange("0.0.0.0/0"), allow: false),
            ]
        )
        #expect(rules[5].originRequest.proxyType == .socks)
        #expect(
            configuration.notices.map(\.key) == [
                "ingress[3].originRequest.ipRules[1].prefix", "ingress[4].service",
                "ingress[5].originRequest.ipRules",
            ]
        )
    }

    @Test func singleService() throws {
        let text = """
            url: http://localhost:8000
            tunnel: 6ff42ae2-765d-4adf-8112-31c55c1551ef
            credentials-file: /root/.cloudflared/6ff42ae2-765d-4adf-8112-31c55c1551ef.json
            no-tls-verify: true
            proxy-connect-timeout: 7s
            http2-origin: true
            """
        let configuration = try parseConfiguration(text)
        let rule = configuration.ingress.match(host: "any.test", path: "/x").rule
        #expect(rule.service.description == "http://localhost:8000")
        #expect(rule.originRequest.noTLSVerify)
        #expect(rule.originRequest.connectTimeout == .seconds(7))
        #expect(rule.originRequest.http2Origin)
    }

    @Test(arguments: [
        ("url: localhost:8000", "http://localhost:8000"),
        ("url: https://localhost/api/", "https://localhost:443"),
        ("url: 127.0.0.1", "http://127.0.0.1:80"), ("url: '[::1]:3000'", "http://[::1]:3000"),
        ("unix-socket: /run/a.sock", "unix:/run/a.sock"), ("hello-world: true", "hello_world"),
        ("hello-world: false\nurl: http://a", "http://a:80"), ("bastion: true", "bastion"),
        ("url: ssh://localhost", "ssh://localhost:22"),
    ])
    func legacyServices(text: String, service: String) throws {
        #expect(try parseConfiguration(text).ingress.rules.map(\.service.description) == [service])
    }

    @Test func ingressWinsOverALegacyService() throws {
        let configuration = try parseConfiguration("url: http://a\ningress:\n- service: http://b\n")
        #expect(configuration.ingress.rules.map(\.service.description) == ["http://b:80"])
        #expect(configuration.notices.map(\.key) == ["url"])
    }

    @Test func privateNetworkHasNoRules() throws {
        let configuration = try parseConfiguration("tunnel: a\nwarp-routing:\n  enabled: true\n")
        #expect(!configuration.hasIngress)
        #expect(configuration.ingress.match(host: "a", path: "/").rule.service == .httpStatus(503))
        #expect(
            configuration.notices.map(\.description) == [
                "/etc/c/config.yml:1:1: ingress: no rules here: the edge says where requests go, if it knows",
                "/etc/c/config.yml:2:1: warp-routing: ignored: private networks are not carried",
            ]
        )
    }

    /// Every key that has no meaning here is accepted and said to be ignored.
    @Test func keysWithoutMeaning() throws {
        var text = "ingress:\n- service: http_status:404\n"
        for key in CloudflaredKeys.ignored.keys.sorted() { text += "\(key): [anything]\n" }
        let notices = try parseConfiguration(text).notices
        #expect(notices.map(\.key) == CloudflaredKeys.ignored.keys.sorted())
        #expect(notices.allSatisfy { $0.message.hasPrefix("ignored: ") })
        for key in [
            "protocol", "no-autoupdate", "retries", "region", "edge-ip-version", "post-quantum",
            "tag", "pidfile", "logfile", "ha-connections", "origincert", "warp-routing",
        ] {
            #expect(CloudflaredKeys.ignored[key] != nil)
        }
    }

    @Test func originKeysWithoutMeaning() throws {
        let configuration = try parseConfiguration(
            """
            originRequest:
              ipRules:
              - prefix: "10.0.0.0/8"
                ports:
                - 80
                - 8080
                allow: false
              proxyAddress: 127.0.0.1
              proxyPort: 9000
              proxyType: socks
              http2Origin: true
              bastionMode: false
            ingress:
             - hostname: tunnel1.example.com
               path: /id
               service: https://localhost:8000
               originRequest: {access: {required: false, teamName: t, audTag: [a]}}
             - hostname: "*"
               service: https://localhost:8001
            """
        )
        #expect(
            Set(configuration.notices.map(\.key)) == [
                "originRequest.proxyAddress", "originRequest.proxyPort",
            ]
        )
        #expect(configuration.ingress.rules[0].originRequest.http2Origin)
    }

    @Test(arguments: [
        ("wss://localhost:8000", "https://localhost:8000"), ("ws://a", "http://a:80"),
        ("https://a", "https://a:443"),
        ("HTTP://a", "http://a:80"), ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://under_score:1", "http://under_score:1"),
        ("unix:/tmp/echo.sock", "unix:/tmp/echo.sock"),
        ("unix+tls:/tmp/echo.sock", "unix+tls:/tmp/echo.sock"),
        ("unix:///tmp/echo.sock", "unix:/tmp/echo.sock"), ("http_status:200", "http_status:200"),
        ("http_status:999", "http_status:999"), ("hello_world", "hello_world"),
        ("hello-world", "hello_world"), ("ssh://localhost", "ssh://localhost:22"),
        ("rdp://[::1]", "rdp://[::1]:3389"), ("smb://a", "smb://a:445"),
        ("TCP://a", "tcp://a:7864"), ("tcp://a:5432", "tcp://a:5432"), ("bastion", "bastion"),
        ("socks-proxy", "socks-proxy"),
    ])
    func services(text: String, description: String) throws {
        #expect(try OriginService(text).description == description)
    }
}
