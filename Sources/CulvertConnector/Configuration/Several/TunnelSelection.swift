/// How the tunnels were named that one process is to run: by names, by configuration files, by tokens.
///
/// Each of the lists has a tunnel for each of its entries; a list of one says something of all tunnels. Pure:
/// what the files and tokens say is an argument.
package struct TunnelSelection: Sendable, Equatable {
    /// Names or ids of tunnels.
    package var names: [String]
    /// The configuration files that were named, not one that is found in a usual place.
    package var files: [String]
    /// What each token is called in an error: its file, or its place in the environment.
    package var tokens: [String]
    /// Whether a credentials file was named.
    package var hasCredentialsFile: Bool
    /// Whether one service for every request was named.
    package var hasURL: Bool

    package init(
        names: [String] = [],
        files: [String] = [],
        tokens: [String] = [],
        hasCredentialsFile: Bool = false,
        hasURL: Bool = false
    ) {
        self.names = names
        self.files = files
        self.tokens = tokens
        self.hasCredentialsFile = hasCredentialsFile
        self.hasURL = hasURL
    }

    /// How many tunnels it is; at least 1.
    package var count: Int { max(self.names.count, self.files.count, self.tokens.count, 1) }

    /// What of it makes no sense together, in sentences that say what to do; nothing for a single tunnel,
    /// of which name, file and token may all say something.
    package var mistakes: [String] {
        guard self.count > 1 else { return [] }
        var mistakes: [String] = []
        if !self.names.isEmpty, self.files.count > 1 {
            mistakes.append(
                "Several --config say which tunnels to run, each with its `tunnel`: leave out "
                    + "\(Self.list(self.names)), or all --config but one."
            )
        }
        if !self.names.isEmpty, !self.tokens.isEmpty {
            mistakes.append(
                "Tokens say which tunnels they are of: leave out \(Self.list(self.names)), or "
                    + "\(Self.list(self.tokens))."
            )
        }
        if self.hasURL {
            mistakes.append(
                "--url sends the requests of one tunnel to one service, and these are \(self.count) tunnels: "
                    + "give each its rules in a file, with --config FILE --config FILE."
            )
        }
        if self.hasCredentialsFile {
            mistakes.append(
                "--cred-file has the key of one tunnel, and these are \(self.count) tunnels: say "
                    + "`credentials-file` in the file of each, or give a token of each with --token-file."
            )
        }
        if self.tokens.count(where: { $0 == "-" }) > 1 {
            mistakes.append("Standard input has one token: name files for the others.")
        }
        return mistakes
    }

    /// Why a file, called `path`, cannot be that of all tunnels; nil when it can: it does not say which
    /// tunnel it is for.
    package func mistake(ofShared path: String, _ configuration: ConnectorConfiguration) -> String?
    {
        let key: String
        if let tunnel = configuration.tunnel {
            key = "tunnel: \(tunnel)"
        } else if configuration.credentialsFile != nil {
            key = "credentials-file"
        } else {
            return nil
        }
        return
            "\(path) is for one tunnel (`\(key)`), and these are \(self.count): give each a file of its "
            + "own, with --config FILE --config FILE and without names, or take that line out."
    }

    static func list(_ words: [String]) -> String {
        guard let last = words.last, words.count > 1 else { return words.first ?? "" }
        return words.dropLast().joined(separator: ", ") + " and " + last
    }
}
