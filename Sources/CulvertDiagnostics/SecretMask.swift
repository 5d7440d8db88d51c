package import Foundation

/// Takes secrets out of texts that are given away: those it was told of, wherever they stand, and
/// whatever looks like one. What is masked too much is a nuisance, what is masked too little is a loss.
package struct SecretMask {
    /// What stands in a secret's place.
    static let mark = "***"

    /// The shortest text that is looked for everywhere, in characters; a shorter one would be found in words.
    private static let minimumCount = 4
    /// So many characters of a longer secret are enough to know it by: messages cut long values.
    private static let cutCount = 40

    private var known: Set<String> = []

    package init() {}

    /// Has a secret masked wherever it stands.
    package mutating func learn(_ secret: String) {
        let text = secret.trimmingCharacters(in: .whitespacesAndNewlines)
        guard text.count >= Self.minimumCount, !text.contains(Self.mark) else { return }
        // As it is, as JSON may have it, as URLs have it, and as base64 of the other alphabet.
        let encoded = text.replacing("+", with: "%2B").replacing("/", with: "%2F")
        let bare = String(text.reversed().drop { $0 == "=" }.reversed())
        let forms = [
            text, text.replacing("/", with: "\\/"), encoded, encoded.replacing("=", with: "%3D"),
            bare, bare.replacing("+", with: "-").replacing("/", with: "_"),
        ]
        self.known.formUnion(forms.filter { $0.count >= Self.minimumCount })
    }

    /// Learns what JSON has under keys that look like those of secrets; other text has none.
    package mutating func learn(json data: Data) {
        guard let value = try? JSONSerialization.jsonObject(with: data) else { return }
        self.learn(value, isSecret: false)
    }

    private mutating func learn(_ value: Any, isSecret: Bool) {
        switch value {
        case let text as String: if isSecret { self.learn(text) }
        case let list as [Any]: for value in list { self.learn(value, isSecret: isSecret) }
        case let object as [String: Any]:
            for (key, value) in object {
                self.learn(value, isSecret: isSecret || Self.isSecret(key: key))
            }
        default: break
        }
    }

    /// Learns the secrets of a key file of BIND's: `secret "…";`.
    package mutating func learn(keyFile text: String) {
        for match in text.matches(of: /(?i)\bsecret\s+"([^"]*)"/) { self.learn(String(match.1)) }
    }

    /// Whether a key is one of a secret: `api-key`, `basicAuth`, `TunnelSecret`, but not `token-file`.
    static func isSecret(key: some StringProtocol) -> Bool {
        let name = key.lowercased().filter { $0 != "-" && $0 != "_" && $0 != "." }
        return [
            "password", "passwd", "passphrase", "secret", "token", "apikey", "privatekey",
            "basicauth", "authorization", "accesskey", "credential", "credentials", "cookie",
            "enrolment", "signingkey",
        ].contains { name.hasSuffix($0) }
    }

    /// The text without secrets.
    package func masked(_ text: String) -> String {
        var text = text
        for secret in self.known.sorted(by: { $0.count > $1.count }) {
            text = Self.replacing(secret, in: text)
        }
        return Self.withoutLookalikes(text)
    }

    /// The text without a secret, and without what is left of it where it was cut.
    private static func replacing(_ secret: String, in text: String) -> String {
        let beginning = secret.prefix(self.cutCount)
        var result = ""
        var rest = text[...]
        while let range = rest.firstRange(of: beginning) {
            result += rest[..<range.lowerBound] + self.mark
            rest = rest[range.upperBound...]
            let tail = zip(secret.dropFirst(self.cutCount), rest).prefix { $0 == $1 }
            rest = rest.dropFirst(tail.count)
        }
        return result + rest
    }

    // Every repetition that begins in many places has a limit: what is in a log is partly its visitors'.
    private static func withoutLookalikes(_ text: String) -> String {
        let pem =
            /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|\z)/
        return text.replacing(pem, with: self.mark)
            // Culvert's own tokens, and those of cloudflared and others: JSON in base64.
            .replacing(/\b(cv[a-z]_)[A-Za-z0-9_\-]+/) { "\($0.1)\(self.mark)" }
            .replacing(/\beyJ[A-Za-z0-9_\-+\/=.]{16,}/, with: self.mark)
            // user:password@ of URLs, with slashes in the password or without.
            .replacing(/(:\/\/)[^\s\/"']{0,1024}@/) { "\($0.1)\(self.mark)@" }
            .replacing(/(:\/\/)[^\s\/@:"']{0,256}:(?!\d{1,5}[\/\s"'])[^\s"']{0,1024}@/) {
                "\($0.1)\(self.mark)@"
            }
            .replacing(self.option) { "\($0.1)\(self.mark)" }
            .replacing(self.header) { "\($0.1) \(self.mark)" }
            .replacing(self.field) { "\($0.1)\(self.mark)" }
            .replacing(self.scheme) { "\($0.1)\(self.mark)" }
            .replacing(/(?i)(\bsecret\s+)"[^"]*"/) { "\($0.1)\"\(self.mark)\"" }
            .replacing(self.assignment) { match in
                self.isSecret(key: match.key) ? "\(match.start)\(self.mark)" : String(match.0)
            }
    }

    /// `--token VALUE`, `--basic-auth "VALUE"`.
    private static var option: Regex<(Substring, Substring)> {
        /(?i)(--[\w\-]{0,64}(?:token|password|secret|auth|enrolment|cookie)[ \t\0]+)(?:"[^"\n]*"|'[^'\n]*'|[^\s\0]+)/
    }

    /// `--header NAME: VALUE`, all that is left of the line.
    private static var header: Regex<(Substring, Substring)> {
        /(?i)(--header[= \t\0]["']?[\w\-]{1,64}:)[^\r\n\0]+/
    }

    /// A header's line with a secret, to its end: it has spaces and semicolons.
    private static var field: Regex<(Substring, Substring)> {
        /(?i)(\b(?:cookie|set-cookie|authorization|proxy-authorization)[ \t]{0,16}:[ \t]{0,16})(?!["' \t])[^\r\n\0]+/
    }

    /// `Basic VALUE` and the like, however short, but no words such as "basic authentication".
    private static var scheme: Regex<(Substring, Substring)> {
        /(?i)\b((?:basic|bearer|negotiate|digest)[ \t]{1,16})(?!(?:auth|authentication|authorization|token|tokens|login|logins|credentials)\b)[A-Za-z0-9._~+\/=\-]+/
    }

    /// `KEY=VALUE`, `KEY: VALUE`, `"KEY": "VALUE"`.
    private static var assignment: Regex<(Substring, start: Substring, key: Substring)> {
        /(?<start>["']?\b(?<key>[A-Za-z][\w.\-]{0,63})["']?[ \t]*[:=][ \t]*)(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;}&"']+)/
    }
}
