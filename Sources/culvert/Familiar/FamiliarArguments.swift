/// What people type who come from cloudflared or ngrok, in this program's words, where it means just the same.
enum FamiliarArguments {
    /// cloudflared's options of `tunnel` that take no value.
    private static let flags: Set<String> = ["--no-autoupdate", "--hello-world", "--bastion"]

    /// The arguments, the program's name not among them, as they are to be parsed.
    static func translated(_ words: [String]) -> [String] {
        switch words.first {
        case "version" where words.count == 1: ["--version"]
        case "tunnel": self.tunnel(Array(words.dropFirst()))
        case "http": ["http"] + self.web(Array(words.dropFirst()))
        default: words
        }
    }

    /// Options stand between `tunnel` and its subcommand in all that is written about cloudflared; there they
    /// go behind it. `tunnel --url URL` alone is a tunnel without an account.
    private static func tunnel(_ words: [String]) -> [String] {
        var rest = words[...]
        var leading: [String] = []
        while let word = rest.first, word.hasPrefix("--"), !["--help", "--version"].contains(word) {
            let takesValue = !word.contains("=") && !self.flags.contains(word)
            leading += rest.prefix(takesValue ? 2 : 1)
            rest = rest.dropFirst(takesValue ? 2 : 1)
        }
        guard let subcommand = rest.first else {
            let url = self.value(of: "--url", in: leading)
            return url.map { ["http", $0] } ?? ["tunnel"] + words
        }
        let words = Array(rest) + leading
        return ["tunnel"] + (subcommand == "run" ? self.run(words) : words)
    }

    /// What an option alone says; nil when there is anything else, or nothing.
    private static func value(of option: String, in words: [String]) -> String? {
        if words.count == 2, words[0] == option { return words[1] }
        guard words.count == 1, let word = words.first, word.hasPrefix(option + "=") else {
            return nil
        }
        return String(word.dropFirst(option.count + 1))
    }

    /// `tunnel run`: culvert has no other `--no-autoupdate`, and other words for levels.
    private static func run(_ words: [String]) -> [String] {
        var isLevel = false
        return words.filter { $0 != "--no-autoupdate" }.map { word in
            defer { isLevel = word == "--loglevel" }
            if isLevel { return self.level(word) }
            guard word.hasPrefix("--loglevel") else { return word }
            let parts = word.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, parts[0] == "--loglevel" else {
                return word == "--loglevel" ? "--log-level" : word
            }
            return "--log-level=\(self.level(String(parts[1])))"
        }
    }

    private static func level(_ name: String) -> String {
        switch name {
        case "warn": "warning"
        case "fatal", "panic": "error"
        default: name
        }
    }

    /// `http`: ngrok's words for `--hostname` and `--basic-auth`.
    private static func web(_ words: [String]) -> [String] {
        if let origin = self.value(of: "--url", in: words) { return [origin] }
        let names = [
            "--domain": "--hostname", "--subdomain": "--hostname", "--url": "--hostname",
            "--auth": "--basic-auth",
        ]
        var isHostname = false
        return words.map { word in
            let option = String(word.prefix { $0 != "=" })
            let isValue = isHostname
            isHostname = false
            guard let name = names[option] else { return isValue ? self.hostname(word) : word }
            guard option.count < word.count else {
                isHostname = name == "--hostname"
                return name
            }
            let value = String(word.dropFirst(option.count + 1))
            return "\(name)=\(name == "--hostname" ? self.hostname(value) : value)"
        }
    }

    /// The hostname of a URL, which ngrok's `--url` takes.
    private static func hostname(_ text: String) -> String {
        for scheme in ["https://", "http://"] where text.hasPrefix(scheme) {
            return String(text.dropFirst(scheme.count).prefix { $0 != "/" })
        }
        return text
    }
}
