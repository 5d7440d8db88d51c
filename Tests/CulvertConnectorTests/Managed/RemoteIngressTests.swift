import ConfigurationFile
import Testing

@testable import CulvertConnector

/// The ingress that an edge keeps.
@Suite struct RemoteIngressTests {
    private func parse(_ text: String) throws(ConfigurationProblems) -> IngressRules {
        try RemoteIngress.parse(text, reader: ConfigurationReader(file: "demo.yml"))
    }

    @Test func rulesAndTheirDefaultsAreRead() throws {
        let rules = try self.parse(
            """
            originRequest: {httpHostHeader: inner.test}
            ingress:
              - {hostname: app.example.com, service: "http://localhost:3000"}
              - service: http_status:404
            """
        )
        #expect(rules.rules.count == 2)
        #expect(rules.rules[0].originRequest.httpHostHeader == "inner.test")
    }

    @Test(arguments: [
        ("ingress:\n  - service: nonsense\n", "demo.yml:2"),
        ("originRequest: {}\n", "ingress: is missing"),
        (
            "tunnel: demo\ningress: [{service: http_status:404}]\n",
            "demo.yml:1:9: tunnel: belongs in each"
        ),
        ("ingres: []\ningress: [{service: http_status:404}]\n", "did you mean `ingress`"),
        ("ingress: [{hostname: a.test, service: http_status:404}]\n", "catch-all"),
        ("", "the file is empty"),
    ])
    func whatIsWrongIsNamedWithItsPlace(text: String, words: String) {
        let error = #expect(throws: ConfigurationProblems.self) { try self.parse(text) }
        let found = error?.description ?? ""
        #expect(
            found.contains(words) || words == "catch-all" && found.contains("every request"),
            "\(found)"
        )
    }

    @Test func aTextThatIsTooLong() {
        let text = "# " + String(repeating: "x", count: 256 << 10)
        let error = #expect(throws: ConfigurationProblems.self) { try self.parse(text) }
        #expect(error?.description.contains("262144") == true)
    }
}
