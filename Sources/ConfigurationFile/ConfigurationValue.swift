/// A value being read. Each accessor reports what is wrong at the value's place and returns nil.
package struct ConfigurationValue {
    /// The path of the value itself: `ingress[2].service`.
    package let keyPath: String
    /// Takes what is wrong; that of the whole file.
    package let reader: ConfigurationReader
    private let node: ConfigurationNode

    init(_ node: ConfigurationNode, path: String, _ reader: ConfigurationReader) {
        self.node = node
        self.keyPath = path
        self.reader = reader
    }

    /// Where it is written; behind an alias, where the anchor is.
    package var place: ConfigurationPlace { self.node.place }

    /// Reports a problem at this place, under this path.
    package func report(_ message: String) { self.reader.report(self.place, self.keyPath, message) }

    /// The same for what is fine but worth knowing.
    package func notice(_ message: String) { self.reader.notice(self.place, self.keyPath, message) }

    /// Any scalar as it is written, numbers too.
    package func string() -> String? {
        guard case .scalar(let text, _, _) = self.node else {
            self.report("expected text, found \(self.node.summary)")
            return nil
        }
        return text
    }

    /// Whether it is just this word, quoted or not; reports nothing.
    package func isWord(_ word: String) -> Bool {
        guard case .scalar(let text, _, _) = self.node else { return false }
        return text == word
    }

    /// Whether it is a mapping; reports nothing.
    package var isMapping: Bool {
        if case .mapping = self.node { true } else { false }
    }

    /// Text that is not empty.
    package func name() -> String? {
        guard let text = self.string() else { return nil }
        guard !text.isEmpty else {
            self.report("expected text, found an empty string")
            return nil
        }
        return text
    }

    /// A file's path, resolved with ``ConfigurationReader/resolve(path:)``.
    package func filePath() -> String? { self.name().map { self.reader.resolve(path: $0) } }

    /// `true` or `false`; YAML 1.1's other words too, as cloudflared takes them.
    package func bool() -> Bool? {
        if case .scalar(let text, _, _) = self.node {
            switch text.lowercased() {
            case "true", "yes", "on", "y": return true
            case "false", "no", "off", "n": return false
            default: break
            }
        }
        self.report("expected true or false, found \(self.node.summary)")
        return nil
    }

    /// A whole number within `range`, both ends included.
    package func int(_ range: ClosedRange<Int>) -> Int? {
        guard case .scalar(let text, _, _) = self.node, let number = Int(text) else {
            self.report("expected a whole number, found \(self.node.summary)")
            return nil
        }
        guard range.contains(number) else {
            self.report("has to be \(limits(range) { "\($0)" }), found \(number)")
            return nil
        }
        return number
    }

    /// A time: `30s`, `1m30s`, `500ms`, `1h`, `1.5h`; a bare number is seconds, as cloudflared's JSON has it.
    package func duration(_ range: ClosedRange<Duration> = .zero...maximumDuration) -> Duration? {
        guard case .scalar(let text, _, _) = self.node, let duration = Duration(written: text)
        else {
            let found = self.node.summary
            self.report("expected a time such as 30s, 1m30s or 500ms, found \(found)")
            return nil
        }
        guard range.contains(duration) else {
            self.report("has to be \(limits(range) { $0.written }), found \(duration.written)")
            return nil
        }
        return duration
    }

    /// A size in bytes: `64KiB`, `1MiB` (powers of 1024), `64KB` (of 1000), a bare number.
    package func byteSize(_ range: ClosedRange<Int>) -> Int? {
        guard case .scalar(let text, _, _) = self.node, let size = byteCount(written: text) else {
            self.report("expected a size such as 64KiB or 1MiB, found \(self.node.summary)")
            return nil
        }
        guard range.contains(size) else {
            self.report("has to be \(limits(range, written(byteCount:))), found \(text)")
            return nil
        }
        return size
    }

    /// `host:port`; see ``HostPort/init(_:defaultPort:)``.
    package func hostPort(defaultPort: Int? = nil) -> HostPort? {
        guard let text = self.string() else { return nil }
        do {
            return try HostPort(text, defaultPort: defaultPort)
        } catch {
            self.report(error.message)
            return nil
        }
    }

    /// One of an enumeration's raw values.
    package func choice<Choice: RawRepresentable & CaseIterable>(
        _ type: Choice.Type = Choice.self
    ) -> Choice? where Choice.RawValue == String {
        guard let text = self.string() else { return nil }
        if let choice = Choice(rawValue: text) { return choice }
        let names = Choice.allCases.map(\.rawValue)
        var message = "expected one of \(names.joined(separator: ", ")), found \"\(text)\""
        if let name = nearest(to: text, among: names) { message += "; did you mean \(name)?" }
        self.report(message)
        return nil
    }

    /// Whether it is a list; reports nothing.
    package var isList: Bool { if case .sequence = self.node { true } else { false } }

    /// A list's elements; each has its number, from 0, in its path.
    package func elements() -> [ConfigurationValue]? {
        guard case .sequence(let nodes, _) = self.node else {
            self.report("expected a list (lines that begin with -), found \(self.node.summary)")
            return nil
        }
        return nodes.enumerated().map { number, node in
            ConfigurationValue(node, path: "\(self.keyPath)[\(number)]", self.reader)
        }
    }

    /// A mapping; the caller has to ``ConfigurationMapping/finish()`` it.
    package func mapping() -> ConfigurationMapping? {
        guard case .mapping(let entries, let place) = self.node else {
            self.report("expected `key: value` lines, found \(self.node.summary)")
            return nil
        }
        return ConfigurationMapping(entries, at: place, path: self.keyPath, self.reader)
    }
}

/// `from 1 to 5`, or `at least 1` when the upper end is only there to have one.
private func limits<Bound: Comparable>(
    _ range: ClosedRange<Bound>,
    _ write: (Bound) -> String
) -> String {
    if range.upperBound as? Int == .max { return "at least \(write(range.lowerBound))" }
    return "from \(write(range.lowerBound)) to \(write(range.upperBound))"
}
