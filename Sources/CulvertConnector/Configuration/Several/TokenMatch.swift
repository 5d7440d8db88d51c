internal import ConfigurationFile

/// Which of several tokens is the key of which configuration file: that of the tunnel that the file is for.
package struct TokenMatch: Sendable, Equatable {
    /// Beside the files, the place of each one's token; nil for a file that has to bring its own key.
    package private(set) var places: [Int?] = []
    /// What is wrong, in sentences that say what to do.
    package private(set) var mistakes: [String] = []

    /// - Parameters:
    ///   - tokens: With what each is called in an error.
    ///   - files: With their paths.
    package init(
        _ tokens: [(origin: String, token: TunnelToken)],
        to files: [(path: String, configuration: ConnectorConfiguration)]
    ) {
        /// Those that a file may have meant, too.
        var meant: Set<Int> = []
        for (path, configuration) in files {
            var found = tokens.indices.filter { tokens[$0].token.isOf(configuration.tunnel) }
            // One of the same tunnel at another edge is not meant.
            if found.count > 1, let edge = configuration.edge {
                found = found.filter { tokens[$0].token.edge == edge }
            }
            self.places.append(found.first)
            meant.formUnion(found)
            if found.count > 1 {
                let origins = TunnelSelection.list(found.map { tokens[$0].origin })
                self.mistakes.append(
                    "\(origins) are all of the tunnel of \(path): leave one of them, or say in the file "
                        + "which `edge` it is for."
                )
            } else if found.isEmpty, !tokens.isEmpty, configuration.tunnel == nil,
                configuration.credentialsFile == nil
            {
                self.mistakes.append(
                    "\(path) does not say which tunnel it is for, so no token is its: add `tunnel: NAME`."
                )
            }
        }
        for (place, (origin, token)) in tokens.enumerated() where !meant.contains(place) {
            self.mistakes.append(
                "\(origin) is of tunnel \(token.credentials.tunnelName), and none of the files is for that "
                    + "one: say `tunnel: \(token.credentials.tunnelName)` in its file, or leave the token out."
            )
        }
    }
}

extension TunnelToken {
    /// Whether it is of a tunnel, by its name or id.
    fileprivate func isOf(_ tunnel: String?) -> Bool {
        guard let tunnel else { return false }
        return [self.credentials.tunnelName, self.credentials.tunnelID].contains(tunnel)
    }
}
