import Glibc

/// Where a person's logins and tunnels are kept: `~/.culvert`, or what `CULVERT_HOME` says.
package struct ConfigurationDirectory: Sendable, Equatable {
    /// Without a slash at its end, unless it is the root.
    package let path: String

    /// The directory at `path`; it need not exist.
    package init(path: String) {
        let trimmed = path.reversed().drop { $0 == "/" }.reversed()
        self.path = trimmed.isEmpty ? "/" : String(trimmed)
    }

    /// The directory that the environment names; `HOME` missing is the working directory's.
    package init(environment: [String: String]) {
        if let path = environment["CULVERT_HOME"], !path.isEmpty {
            self.init(path: path)
        } else {
            self.init(path: (environment["HOME"] ?? ".") + "/.culvert")
        }
    }

    /// The path of a file in it.
    package func file(_ name: String) -> String { "\(self.path)/\(name)" }

    /// Makes the directory with mode 0700, and those above it, where they are missing. One that is there
    /// keeps its mode: its files are private anyway.
    ///
    /// - Throws: why it cannot be made.
    package func create() throws(PrivateFile.Failure) {
        var prefix = self.path.hasPrefix("/") ? "/" : ""
        for component in self.path.split(separator: "/") {
            prefix += component
            // What stands above may be there and be nobody's to write in.
            if mkdir(prefix, 0o700) != 0, errno != EEXIST, access(prefix, X_OK) != 0 {
                throw PrivateFile.Failure(
                    file: prefix,
                    reason: .system,
                    message: "cannot be made: \(systemMessage())"
                )
            }
            prefix += "/"
        }
    }
}
