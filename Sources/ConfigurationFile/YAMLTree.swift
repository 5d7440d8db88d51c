import Yams

/// Parses YAML into ``ConfigurationNode``s whose places and size can be trusted.
///
/// Yams alone resolves an alias by copying, loses where it stood, hashes whole subtrees for
/// non-scalar keys (exponential for nested aliases) and stops at the first duplicate key. So both are
/// taken out of its hands: see ``AliasVeil`` and ``DuplicateKeyVeil``. Confined to one load.
struct YAMLTree {
    /// The largest file that is read at all, in bytes.
    static let maximumBytes = 1 << 20
    /// The most nodes a file may have, aliases expanded; the next one is a problem.
    static let maximumNodes = 50_000
    /// How deeply nodes may nest; a deeper one is a problem.
    static let maximumDepth = 64

    private let report: (ConfigurationPlace?, String) -> Void
    private var aliases: AliasVeil
    private var duplicates = DuplicateKeyVeil()
    private var anchors: [String: Node] = [:]
    private var nodeCount = 0
    private var isExhausted = false

    private init(_ text: String, _ report: @escaping (ConfigurationPlace?, String) -> Void) {
        self.aliases = AliasVeil(text)
        self.report = report
    }

    /// The document's root, or nil when it is empty or too broken to say more about.
    static func parse(
        _ text: String,
        report: @escaping (ConfigurationPlace?, String) -> Void
    ) -> ConfigurationNode? {
        guard text.utf8.count <= self.maximumBytes else {
            report(nil, "the file is larger than \(self.maximumBytes >> 20) MiB")
            return nil
        }
        let isVeilWritten = text.unicodeScalars.contains {
            $0 == AliasVeil.mark || DuplicateKeyVeil.marks.contains($0.value)
        }
        guard !isVeilWritten else {
            report(nil, "the file has characters of Unicode's private use area (U+E000 to U+F8FF)")
            return nil
        }
        var tree = YAMLTree(text, report)
        return tree.parse()
    }

    /// Composes, taking one duplicate key out of the text per round, then converts.
    private mutating func parse() -> ConfigurationNode? {
        var text = self.aliases.text
        while true {
            do {
                // Yams keeps a pointer into the text that dangles when the string is so short that it
                // is stored inline, hence the padding; its nodes hold anchors weakly, hence `parser`.
                let padded = text.utf8.count < 16 ? text + String(repeating: " ", count: 16) : text
                let parser = try Parser(yaml: padded, resolver: .basic, encoding: .utf8)
                guard let root = try parser.singleRoot() else { return nil }
                return withExtendedLifetime(parser) { self.convert(root, depth: 0) }
            } catch YamlError.duplicatedKeysInMapping(let keys, let context) {
                guard let next = self.duplicates.veil(keys, at: context.mark, in: text) else {
                    let list = keys.map { "`\(self.aliases.lift($0))`" }.joined(separator: ", ")
                    self.report(place(context.mark), "\(list) given more than once")
                    return nil
                }
                text = next
            } catch {
                self.report(error)
                return nil
            }
        }
    }

    private func report(_ error: any Error) {
        switch error as? YamlError {
        case .scanner(let context, let problem, let mark, _),
            .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            self.report(place(mark), syntaxMessage(problem, context?.text))
        case .reader(let problem, _, _, _):
            self.report(nil, "not readable as YAML: \(problem)")
        default:
            self.report(nil, "not readable as YAML")
        }
    }

    private mutating func convert(_ node: Node, depth: Int) -> ConfigurationNode {
        let here = place(node.mark)
        let nothing = ConfigurationNode.scalar("", isPlain: true, here)
        self.nodeCount += 1
        if self.isExhausted { return nothing }
        if self.nodeCount > Self.maximumNodes || depth > Self.maximumDepth {
            self.isExhausted = true
            let limit =
                depth > Self.maximumDepth
                ? "nested more than \(Self.maximumDepth) deep"
                : "more than \(Self.maximumNodes) values, those that aliases repeat counted"
            self.report(here, "the file is too large: \(limit)")
            return nothing
        }
        let converted: ConfigurationNode
        switch node {
        case .scalar(let scalar):
            return self.convert(scalar, of: node, at: here, depth: depth)
        case .sequence(let sequence):
            converted = .sequence(sequence.map { self.convert($0, depth: depth + 1) }, here)
        case .mapping(let mapping):
            converted = self.convert(mapping, at: here, depth: depth)
        case .alias:
            return nothing
        }
        // Known only once complete, so that no alias can reach the node it stands in.
        if let name = node.anchor?.rawValue { self.anchors[name] = node }
        return converted
    }

    private mutating func convert(
        _ scalar: Node.Scalar,
        of node: Node,
        at here: ConfigurationPlace,
        depth: Int
    ) -> ConfigurationNode {
        let isPlain = scalar.style == .plain || scalar.style == .any
        if isPlain, let name = self.aliases.alias(scalar.string) {
            guard let target = self.anchors[name] else {
                self.report(here, "the alias `*\(name)` has no anchor `&\(name)` before it")
                return .scalar("", isPlain: true, here)
            }
            return self.convert(target, depth: depth + 1)
        }
        if let name = node.anchor?.rawValue { self.anchors[name] = node }
        return .scalar(self.aliases.lift(scalar.string), isPlain: isPlain, here)
    }

    private mutating func convert(
        _ mapping: Node.Mapping,
        at here: ConfigurationPlace,
        depth: Int
    ) -> ConfigurationNode {
        var entries: [ConfigurationNode.Entry] = []
        var merged: [ConfigurationNode.Entry] = []
        var firstLines: [String: Int] = [:]
        for (key, value) in mapping {
            let keyPlace = place(key.mark)
            guard case .scalar(let scalar) = key else {
                self.report(keyPlace, "a key has to be a plain name, not a list or a mapping")
                continue
            }
            let name = self.aliases.lift(self.duplicates.original(of: scalar.string))
            let converted = self.convert(value, depth: depth + 1)
            if let line = firstLines[name] {
                self.report(
                    keyPlace,
                    "`\(name)` is given more than once here, first on line \(line)"
                )
            } else if name == "<<", scalar.style == .plain {
                merged += self.merge(converted)
            } else {
                entries.append(.init(key: name, place: keyPlace, value: converted))
            }
            firstLines[name] = firstLines[name] ?? keyPlace.line
        }
        var seen = Set(entries.map(\.key))
        entries += merged.filter { seen.insert($0.key).inserted }
        return .mapping(entries, here)
    }

    /// The entries a merge key brings in: those of a mapping, or of several, the first one winning.
    private func merge(_ node: ConfigurationNode) -> [ConfigurationNode.Entry] {
        switch node {
        case .mapping(let entries, _):
            return entries
        case .sequence(let nodes, _):
            return nodes.flatMap { self.merge($0) }
        case .scalar(_, _, let place):
            if !self.isExhausted { self.report(place, "`<<` needs a mapping to merge") }
            return []
        }
    }
}

private func place(_ mark: Mark?) -> ConfigurationPlace {
    ConfigurationPlace(line: mark?.line ?? 1, column: mark?.column ?? 1)
}

/// libyaml's words, with a hint where people commonly go wrong.
private func syntaxMessage(_ problem: String, _ context: String?) -> String {
    var text = "not valid YAML: \(problem)"
    if let context, !context.isEmpty { text += " \(context)" }
    if context?.contains("alias") == true {
        text += "; a value that begins with * has to be quoted: \"*.example.com\""
    } else if problem.contains("tab") || problem.contains("cannot start any") {
        text += "; indent with spaces, not tabs, and quote values that begin with @, ` or %"
    } else if problem.contains("mapping values are not allowed") {
        text += "; check the indentation, and quote values that contain a colon and a space"
    }
    return text
}
