import Foundation
import Testing

extension SystemTests {
    /// "An origin that breaks off mid-body is seen as a broken body"; distinct, helpful failures.
    @Suite struct BrokenOrigin {
        static let versions = ["--http1.1", "--http2"]

        @Test("broken off mid-body: an error for curl, not a clean end", arguments: versions)
        func midBody(version: String) throws {
            let world = try Faithfulness.World()
            for how in ["length", "chunked", "reset", "chunk-size"] {
                // More than once, since it is a race of bytes against the news of the end.
                for _ in 0..<10 {
                    let answer = try world.deployment.curl("/broken/\(how)", [version], within: 10)
                    // Partial file, receive failure, HTTP/2 stream error.
                    let isBroken = answer.status == 200 && [18, 56, 92].contains(answer.exit)
                    #expect(isBroken, "\(how): \(answer.status), exit \(answer.exit)")
                }
            }
            // The connection to the edge and the tunnel are as before.
            #expect(try Echo(world.curl("/after", [version])).target == "/after")
        }

        @Test("all that came before the break reaches the visitor, a slow one too")
        func asFarAsItGot() throws {
            let world = try Faithfulness.World()
            let slow = ["--limit-rate", "2M"]
            for options in Self.versions.flatMap({ [[$0], [$0] + slow] }) {
                let answer = try world.deployment.curl("/broken/late", options, within: 20)
                #expect(
                    answer.status == 200 && [18, 56, 92].contains(answer.exit),
                    "\(answer.said)"
                )
                #expect(answer.body.count == 3_000_000, "\(options)")
            }
        }

        @Test("nothing, or nothing that is HTTP: 502", arguments: versions)
        func malformed(version: String) throws {
            let world = try Faithfulness.World()
            let kinds = [
                "head": "origin-broke-off",
                "not-http": "origin-malformed", "two-lengths": "origin-malformed",
                "both-framings": "origin-malformed", "folded": "origin-malformed",
                "huge-head": "origin-malformed",
            ]
            for (how, code) in kinds.sorted(by: { $0.key < $1.key }) {
                let answer = try world.curl("/broken/\(how)", [version, "-X", "POST", "-d", "x"])
                #expect(answer.exit == 0 && answer.status == 502, "\(how): \(answer.said)")
                #expect(answer.first("culvert-error") == code, "\(how)")
            }
            let none = try world.curl("/broken/before-answer", [version, "-X", "POST", "-d", "x"])
            #expect(none.exit == 0 && none.status == 502)
            #expect(none.first("culvert-error") == "origin-broke-off")
            // RFC 9112 §5.1: from an answer, such a space is removed.
            let spaced = try world.curl("/broken/space-before-colon", [version])
            #expect(spaced.text == "ok" && spaced.first("x-a") == "b")
            let upgrade = try world.curl("/broken/unasked-101", [version])
            #expect(upgrade.exit == 0 && upgrade.status == 502, "\(upgrade.said)")
        }

        @Test(
            "a rule that leads back to the edge: 508 loop-detected, with what to do",
            arguments: versions
        )
        func loop(version: String) throws {
            let deployment = try Deployment()
            try deployment.startConnector(
                ingress: [
                    "{hostname: ws.example.test, service: 'https://127.0.0.1:\(deployment.port)', "
                        + "originRequest: {httpHostHeader: app.example.test, "
                        + "originServerName: app.example.test, "
                        + "caPool: \(deployment.certificates.authority)}}",
                    "{hostname: app.example.test, service: 'https://127.0.0.1:\(deployment.port)', "
                        + "originRequest: {originServerName: app.example.test, "
                        + "caPool: \(deployment.certificates.authority)}}",
                ]
            )
            for host in [Deployment.host, "ws.example.test"] {
                let options = [version, "-H", "Accept: text/html"]
                let answer = try deployment.curl("/x", host: host, options)
                #expect(answer.exit == 0 && answer.status == 508, "\(answer.said)")
                #expect(answer.text.contains("not a hostname of this edge"), "\(answer.text)")
            }
        }

        @Test("refused: 502 origin-unreachable; the page says what to do")
        func refused() throws {
            let deployment = try Deployment()
            let port = try freePort()
            let connector = try deployment.startConnector(
                ingress: ["{hostname: app.example.test, service: 'http://127.0.0.1:\(port)'}"]
            )
            let answer = try deployment.curl("/x", ["-H", "Accept: text/html"])
            #expect(answer.status == 502)
            #expect(answer.first("culvert-error") == "origin-unreachable")
            #expect(answer.text.contains("is the service running"))
            // And its owner's log the cause, at the usual level.
            try waitFor("the cause in the connector's log") {
                connector.said.split(separator: "\n").contains {
                    $0.contains("warning") && $0.contains("The service fails")
                        && $0.contains("refused")
                } ? true : nil
            }
            let none = try deployment.curl("/x", host: "a.sub.example.test")
            #expect(none.status == 404, "the connector's catch-all")
        }

        @Test("no answer to a dial, or to a TLS handshake: 504 origin-timeout")
        func timeouts() throws {
            let deployment = try Deployment()
            // Its queue of one is full, so that further dials get no answer.
            let listener = try listeningSocket(port: 0, backlog: 0)
            let port = boundPort(of: listener)
            let fill = socketsThatFill(port: port)
            let silent = try listeningSocket(port: 0)
            let silentPort = boundPort(of: silent)
            ProcessScope.current?.atEnd { (fill + [listener, silent]).forEach { close($0) } }
            try deployment.startConnector(
                ingress: [
                    "{hostname: app.example.test, service: 'http://127.0.0.1:\(port)', "
                        + "originRequest: {connectTimeout: 1s}}",
                    "{hostname: a.sub.example.test, service: 'https://127.0.0.1:\(silentPort)', "
                        + "originRequest: {tlsTimeout: 1s, noTLSVerify: true}}",
                ]
            )
            for host in [Deployment.host, "a.sub.example.test"] {
                let answer = try deployment.curl("/x", host: host)
                #expect(answer.status == 504, "\(host): \(answer.said)")
                #expect(answer.first("culvert-error") == "origin-timeout")
            }
        }

        @Test(
            "an origin with TLS: verified, a wrong name or authority refused, noTLSVerify believed"
        )
        func secureOrigin() throws {
            let deployment = try Deployment()
            let origin = try Origin(
                "secure",
                tls: deployment.certificates.origin,
                in: deployment.directory
            )
            let pool = "caPool: \(deployment.certificates.authority)"
            func rule(_ host: String, _ service: String, _ request: String) -> String {
                "{hostname: \(host).sub.example.test, service: 'https://\(service):\(origin.port)', "
                    + "originRequest: {\(request)}}"
            }
            try deployment.startConnector(
                ingress: [
                    rule("good", "localhost", pool), rule("name", "127.0.0.1", pool),
                    rule("authority", "localhost", "http2Origin: false"),
                    rule("unverified", "127.0.0.1", "noTLSVerify: true"),
                    rule("named", "127.0.0.1", "\(pool), originServerName: localhost"),
                ]
            )
            for host in ["good", "unverified", "named"] {
                let answer = try deployment.curl("/x", host: "\(host).sub.example.test")
                #expect(answer.status == 200, "\(host): \(answer.text)")
            }
            for host in ["name", "authority"] {
                let answer = try deployment.curl("/x", host: "\(host).sub.example.test")
                #expect(answer.status == 502, "\(host): \(answer.text)")
            }
        }
    }
}

/// Connections that fill a listener's queue.
private func socketsThatFill(port: Int) -> [CInt] {
    var sockets: [CInt] = []
    for _ in 0..<4 {
        // Not waited for: the last of them are never answered.
        if let one = beginConnecting(port: port) { sockets.append(one) }
    }
    return sockets
}
