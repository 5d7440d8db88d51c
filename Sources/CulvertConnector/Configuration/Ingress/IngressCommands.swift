import ConfigurationFile
import HTTPSemantics

/// What `culvert tunnel ingress …` prints, and how it exits.
package struct IngressCommandResult: Sendable, Equatable {
    /// For standard output when it succeeded, for standard error when not; no newline at its end.
    package var text: String
    /// Whether the process exits with 0.
    package var succeeded: Bool
    /// Whether it is not the file that is wrong, but what was asked about it.
    package var isArgumentWrong = false
}

/// `culvert tunnel ingress validate` and `rule`, without their arguments' parsing.
package enum IngressCommands {
    /// Says `OK`, or everything that is wrong; what is merely ignored comes after the `OK`.
    package static func validate(file: String) -> IngressCommandResult {
        let loaded = self.load(file)
        guard let configuration = loaded.configuration else { return loaded.failure }
        guard configuration.hasIngress else { return self.noRules(file) }
        var lines = ["Validating rules from \(file)", "OK"]
        lines += configuration.notices.map { "Notice: \($0)" }
        return IngressCommandResult(text: lines.joined(separator: "\n"), succeeded: true)
    }

    /// Says which rule takes a URL, numbered from 0 as cloudflared does.
    package static func rule(file: String, url: String) -> IngressCommandResult {
        let loaded = self.load(file)
        guard let configuration = loaded.configuration else { return loaded.failure }
        guard configuration.hasIngress else { return self.noRules(file) }
        guard let (host, path) = self.split(url) else {
            let text =
                "\"\(url)\" is not a URL; expected something like https://app.example.com/path"
            return IngressCommandResult(text: text, succeeded: false, isArgumentWrong: true)
        }
        let (index, rule) = configuration.ingress.match(host: host, path: path)
        let lines = [
            "Using rules from \(file)", "Matched rule #\(index)", rule.multiLineDescription,
        ]
        return IngressCommandResult(text: lines.joined(separator: "\n"), succeeded: true)
    }

    private static func load(
        _ file: String
    ) -> (configuration: ConnectorConfiguration?, failure: IngressCommandResult) {
        do {
            let configuration = try ConnectorConfiguration.load(file: file)
            return (configuration, IngressCommandResult(text: "", succeeded: false))
        } catch {
            let count = error.problems.count
            let title = "Validation failed: \(count) problem\(count == 1 ? "" : "s")"
            return (nil, IngressCommandResult(text: "\(title)\n\(error)", succeeded: false))
        }
    }

    private static func noRules(_ file: String) -> IngressCommandResult {
        let text = "Validation failed: \(file) has no ingress rules; add `ingress` with at least "
        return IngressCommandResult(text: text + "`- service: http_status:404`", succeeded: false)
    }

    /// The host and the path of a URL; the scheme may be left out.
    private static func split(_ url: String) -> (host: NormalizedHost, path: String)? {
        var rest = Substring(url)
        if let scheme = url.firstRange(of: "://") { rest = rest[scheme.upperBound...] }
        let authority = rest.prefix { !"/?#".contains($0) }
        let host = authority.split(separator: "@", omittingEmptySubsequences: false).last
        guard let host, let normalized = try? NormalizedAuthority(String(host)) else { return nil }
        let path = rest[authority.endIndex...]
        return (normalized.host, path.hasPrefix("/") ? String(path) : "/" + path)
    }
}
