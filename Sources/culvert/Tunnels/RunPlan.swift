import ConfigurationFile
import CulvertConnector
import Logging
import TunnelTransport

/// What `culvert tunnel run` runs: one tunnel, or several that were looked through together.
struct RunPlan {
    /// A tunnel, and what to tell it apart by; nil for the only one.
    let tunnels: [(name: String?, plan: ConnectorPlan)]
    /// Where the process has its metrics; nil when no file says.
    let metrics: HostPort?

    /// The longest time that one of them gives requests to end in.
    var grace: Duration { self.tunnels.map(\.plan.configuration.gracePeriod).max() ?? .zero }

    /// The lowest level that one of them logs at.
    var level: Logger.Level? {
        self.tunnels.map { Logger.Level($0.plan.configuration.logLevel) }.min()
    }

    /// Looks through what the command line, the environment and the files say; asks no network.
    ///
    /// - Throws: `Failure` with all that is missing or wrong.
    init(names: [String], configs: [String], source: ConnectorSource, url: String?) throws {
        let selection = TunnelSelection(
            names: names,
            files: configs,
            tokens: source.tokens.map(\.origin),
            hasCredentialsFile: source.credentialsFile != nil,
            hasURL: url != nil
        )
        guard selection.count > 1 else {
            let terms = try ConnectorTerms(
                name: names.first,
                config: configs.first,
                source: source,
                url: url
            )
            let plan = try ConnectorPlan(terms)
            self.tunnels = [(nil, plan)]
            self.metrics = plan.configuration.metrics
            return
        }
        var draft = SeveralTunnels(selection, source)
        let planned = try draft.plans()
        let roster = TunnelRoster(planned.map(\.entry))
        for mistake in roster.mistakes { draft.note(Failure(mistake, .usage)) }
        try draft.finish()
        self.tunnels = zip(roster.labels, planned).map { ($0, $1.plan) }
        self.metrics = roster.metrics
    }
}

/// Several tunnels that are being looked through, and all that is found to be wrong with them.
private struct SeveralTunnels {
    private let selection: TunnelSelection
    private let source: ConnectorSource
    private var failures: [Failure] = []

    init(_ selection: TunnelSelection, _ source: ConnectorSource) {
        self.selection = selection
        self.source = source
    }

    mutating func note(_ failure: Failure) {
        // What is said of all of them is found once for each.
        guard !self.failures.contains(where: { $0.description == failure.description }) else {
            return
        }
        self.failures.append(failure)
    }

    /// - Throws: one `Failure` with all that was noted, and their exit code if they have the same, or
    ///   the first one's if each means that trying again is useless.
    func finish() throws {
        guard let first = self.failures.first else { return }
        let isOneCode = self.failures.allSatisfy { $0.code == first.code }
        let isFinal = self.failures.allSatisfy { $0.code.isFinal }
        let text = self.failures.map(\.description).joined(separator: "\n")
        throw Failure(text, isOneCode || isFinal ? first.code : .failed)
    }

    /// A plan for each that can be had; the rest is noted.
    ///
    /// - Throws: `Failure` when it is not clear which tunnels are meant.
    mutating func plans() throws -> [(plan: ConnectorPlan, entry: TunnelRoster.Entry)] {
        for mistake in self.selection.mistakes { self.note(Failure(mistake, .usage)) }
        try self.finish()
        var terms: [(source: String, terms: ConnectorTerms)]
        if self.selection.files.count > 1 {
            terms = self.termsOfFiles()
        } else {
            terms = self.termsWithoutFile()
            self.share(&terms)
        }
        return terms.compactMap { source, terms in
            self.noting {
                let plan = try ConnectorPlan(terms)
                return (plan, plan.entry(source: source))
            }
        }
    }

    /// What `body` gives; nil when it fails, which is noted.
    private mutating func noting<Value>(_ body: () throws -> Value) -> Value? {
        do {
            return try body()
        } catch {
            self.note(error as? Failure ?? Failure("\(error)"))
            return nil
        }
    }

    private mutating func tokens() -> [(origin: String, token: TunnelToken)] {
        self.source.tokens.compactMap { given in
            self.noting { (given.origin, try given.read()) }
        }
    }

    /// A tunnel for each file that can be read, each with its token if there is one for it.
    private mutating func termsOfFiles() -> [(source: String, terms: ConnectorTerms)] {
        let tokens = self.tokens()
        let files = self.selection.files.compactMap { path in
            let watched = WatchedFile(path)
            return self.noting {
                (watched: watched, configuration: try loadConnectorConfiguration(path))
            }
        }
        let match = TokenMatch(tokens, to: files.map { ($0.watched.path, $0.configuration) })
        let hasAllTokens = tokens.count == self.selection.tokens.count
        // What cannot be read may be what another one lacks.
        if hasAllTokens, files.count == self.selection.files.count {
            for mistake in match.mistakes { self.note(Failure(mistake, .usage)) }
        }
        return zip(files, match.places).compactMap { file, place in
            let hasKey = place != nil || file.configuration.credentialsFile != nil
            guard hasKey || hasAllTokens else { return nil }
            var terms = ConnectorTerms(self.source)
            terms.file = file
            terms.isNamedFile = true
            terms.token = place.map { (tokens[$0].token, tokens[$0].origin) }
            return (file.watched.path, terms)
        }
    }

    /// A tunnel for each name, or for each token.
    private mutating func termsWithoutFile() -> [(source: String, terms: ConnectorTerms)] {
        guard self.selection.names.isEmpty else {
            return self.selection.names.map { name in
                var terms = ConnectorTerms(self.source)
                terms.name = name
                return (name, terms)
            }
        }
        return self.tokens().map { origin, token in
            var terms = ConnectorTerms(self.source)
            terms.token = (token, origin)
            return (origin, terms)
        }
    }

    /// Gives all of them the one file that there is, if there is one.
    private mutating func share(_ terms: inout [(source: String, terms: ConnectorTerms)]) {
        let named = self.selection.files.first
        let watched = (named ?? ConnectorFileOption.usualFile).map { WatchedFile($0) }
        guard let watched,
            let configuration = self.noting({ try loadConnectorConfiguration(watched.path) })
        else { return }
        if let mistake = self.selection.mistake(ofShared: watched.path, configuration) {
            // Whose it is decides what else is wrong.
            self.note(Failure(mistake, .usage))
            return terms = []
        }
        for index in terms.indices {
            terms[index].terms.file = (watched, configuration)
            terms[index].terms.isNamedFile = named != nil
            terms[index].terms.isShared = true
        }
    }
}

extension ConnectorPlan {
    /// What matters of it to the other tunnels of the process; `source` is what named it.
    fileprivate func entry(source: String) -> TunnelRoster.Entry {
        let edge = self.options.edge
        return TunnelRoster.Entry(
            source: source,
            credentials: self.credentials,
            edge: HostPort(host: edge.target.hostname, port: Int(edge.target.port)),
            dialled: HostPort(host: edge.dialHost, port: Int(edge.dialPort)),
            metrics: self.configuration.metrics
        )
    }
}
