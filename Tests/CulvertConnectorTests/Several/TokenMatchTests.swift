import ConfigurationFile
import Testing

@testable import CulvertConnector

/// Which token is the key of which file.
@Suite struct TokenMatchTests {
    private func token(
        _ name: String,
        edge: String = "connect.example.com",
        id: String? = nil
    ) throws -> (origin: String, token: TunnelToken) {
        var credentials = Credentials(newFor: name, edge: HostPort(host: edge, port: 443))
        credentials.tunnelID = id
        return ("\(name).token", try #require(TunnelToken(credentials)))
    }

    private func file(
        _ tunnel: String?,
        edge: String? = nil,
        hasKey: Bool = false
    ) -> (path: String, configuration: ConnectorConfiguration) {
        var configuration = ConnectorConfiguration()
        configuration.tunnel = tunnel
        configuration.edge = edge.map { HostPort(host: $0, port: 443) }
        configuration.credentialsFile = hasKey ? "key.json" : nil
        return ("\(tunnel ?? "none").yml", configuration)
    }

    @Test("a token is the key of the file of its tunnel, by name or id, in any order")
    func byTunnel() throws {
        let tokens = try [self.token("shop"), self.token("demo", id: "1111")]
        let match = TokenMatch(
            tokens,
            to: [self.file("1111"), self.file("shop"), self.file("blog", hasKey: true)]
        )
        #expect(match.places == [1, 0, nil])
        #expect(match.mistakes == [])
    }

    @Test("a file without a token brings its own key, or is run by what is known here")
    func withoutToken() {
        let match = TokenMatch([], to: [self.file("demo"), self.file(nil, hasKey: true)])
        #expect(match.places == [nil, nil])
        #expect(match.mistakes == [])
    }

    @Test("one token may be the key of a tunnel at several edges")
    func severalEdges() throws {
        let files = [self.file("demo", edge: "a.test"), self.file("demo", edge: "b.test")]
        let one = TokenMatch([try self.token("demo")], to: files)
        #expect(one.places == [0, 0] && one.mistakes == [])
        let two = TokenMatch(
            try [self.token("demo", edge: "b.test"), self.token("demo", edge: "a.test")],
            to: files
        )
        #expect(two.places == [1, 0] && two.mistakes == [])
    }

    @Test("two tokens of a file's tunnel are one too many")
    func ambiguous() throws {
        let tokens = try [self.token("demo"), self.token("demo", edge: "b.test")]
        let match = TokenMatch(tokens, to: [self.file("demo"), self.file("shop", hasKey: true)])
        #expect(match.mistakes.count == 1, "\(match.mistakes)")
        #expect(
            match.mistakes.first?.hasPrefix("demo.token and demo.token are all of the tunnel of ")
                == true
        )
        #expect(match.mistakes.first?.contains("`edge`") == true)
    }

    @Test("a token without a file, and a file that cannot have one, are mistakes")
    func unmatched() throws {
        let match = TokenMatch(
            try [self.token("demo"), self.token("shop")],
            to: [self.file("demo"), self.file(nil)]
        )
        #expect(match.places == [0, nil])
        #expect(match.mistakes.count == 2, "\(match.mistakes)")
        #expect(match.mistakes[0].hasPrefix("none.yml does not say which tunnel it is for"))
        #expect(match.mistakes[1].hasPrefix("shop.token is of tunnel shop, and none of the files"))
    }
}
