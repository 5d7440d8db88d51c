import ConfigurationFile
import ControlAPI
import ControlClient
import CulvertDNS
import Foundation
import HTTPSemantics

/// Sees to the DNS records of hostnames, with the providers of `dns.yml`.
///
/// Whoever runs the command makes the record, and not the edge: the key of a zone stays with its owner.
struct RecordDesk {
    private let providers: DNSProviders

    /// Where the providers are, in the directory of the login.
    static let file = ConfigurationDirectory.usual.file("dns.yml")

    /// - Throws: `Failure` with everything that is wrong with the file.
    init() throws {
        do {
            self.providers = try DNSProviders.load(file: Self.file)
        } catch {
            throw Failure("\(error)", .badFile)
        }
    }

    /// Sees to it that a hostname's record is there, as far as it can be done here.
    func settle(
        _ hostname: String,
        at edge: EdgeDocument,
        replacing: Bool
    ) async throws -> RecordReport {
        guard let record = DNSRecord(for: hostname, at: edge) else {
            return RecordReport(.covered, edge: edge.wildcard ?? "")
        }
        let name = try Self.pattern(hostname)
        let provider = self.providers.provider(of: name)
        if !replacing, await Self.isCovered(name, record.target) {
            return RecordReport(.wildcard, edge: record.target)
        }
        var report = RecordReport(.byHand, edge: record.target)
        report.zone = provider?.zone.name
        do throws(RecordMaker.Failure) {
            let records = try await Self.records(name, record.target, provider)
            report.records = records.description.split(separator: "\n").map(String.init)
            if let provider {
                let made = try await Self.maker(provider).make(records, replacing: replacing)
                report.state = RecordReport.State(made.outcome)
                report.problem = made.remarks.isEmpty ? nil : made.remarks
            }
        } catch {
            report.note(error)
        }
        if report.state != .failed { report.note(await Self.check(name, record.target)) }
        return report
    }

    /// Removes the records of hostnames that lead nowhere any more, as far as it can be done, and says what
    /// became of them.
    static func clear(_ hostnames: [String], at edge: EdgeDocument) async {
        do {
            let desk = try RecordDesk()
            for hostname in hostnames {
                guard let words = await desk.remove(hostname, at: edge) else { continue }
                note(hostnames.count > 1 ? "\(printable(hostname)): \(words)" : words)
            }
        } catch {
            note("\(error)\nDNS records were left alone.")
        }
    }

    /// Removes the record of a hostname that leads nowhere any more, if it still leads to the edge.
    ///
    /// - Returns: what became of it, in a sentence; nil when there is nothing to say.
    private func remove(_ hostname: String, at edge: EdgeDocument) async -> String? {
        guard let record = DNSRecord(for: hostname, at: edge) else { return nil }
        guard let name = try? Self.pattern(hostname),
            let provider = self.providers.provider(of: name)
        else { return "A DNS record that was made for it can go: \(printable("\(record)"))" }
        do throws(RecordMaker.Failure) {
            let records = try await Self.records(name, record.target, provider)
            let text = records.description.replacing("\n", with: ", ")
            switch try await Self.maker(provider).remove(records) {
            case true?: return "Removed its DNS record: \(text)"
            case false?: return "Its DNS record was left alone: it does not lead to the edge."
            case nil: return "Its DNS record is gone, or was none that leads to the edge: \(text)"
            }
        } catch {
            return "Its DNS record is still there: \(error.words)"
        }
    }

    private static func pattern(_ hostname: String) throws -> HostPattern {
        do {
            return try HostPattern(hostname, allowsAny: false)
        } catch {
            throw Failure("The edge calls the hostname something else: \(error)")
        }
    }

    /// What a name needs: an alias, or at the top of its zone the edge's addresses.
    private static func records(
        _ name: HostPattern,
        _ target: String,
        _ provider: DNSProvider?
    ) async throws(RecordMaker.Failure) -> NameRecords {
        guard let host = try? NormalizedHost(target) else {
            throw .failed("\(printable(target)), where connectors dial, is no name.")
        }
        let isApex = provider?.isApex(name) ?? false
        guard isApex || host.isAddress else {
            return NameRecords(name: name, value: .alias(of: host))
        }
        let literal = host.name.filter { $0 != "[" && $0 != "]" }
        let found = host.isAddress ? [literal] : await Self.resolve(host.name).sorted()
        let addresses = found.compactMap { IPAddress($0) }
        guard !addresses.isEmpty else {
            throw .failed(
                "no alias can be at the top of a zone, and \(host), whose addresses it would have, does "
                    + "not resolve here."
            )
        }
        return NameRecords(name: name, value: .addresses(addresses))
    }

    private static func maker(_ provider: DNSProvider) throws(RecordMaker.Failure) -> RecordMaker {
        if case .nsupdate(_, let keyFile?) = provider.method {
            do throws(PrivateFile.Failure) {
                _ = try PrivateFile.read(keyFile, maximumBytes: 64 << 10)
            } catch {
                throw .failed("\(error).")
            }
        }
        return RecordMaker(provider) { await ChildProgram.capture($0) }
    }

    private static func check(_ name: HostPattern, _ edge: String) async -> NameCheck {
        await NameCheck(of: name, edge: edge, label: self.label(), self.resolve)
    }

    private static func isCovered(_ name: HostPattern, _ edge: String) async -> Bool {
        await NameCheck.isCovered(name, edge: edge, label: self.label(), self.resolve)
    }

    /// A name's first label that nobody has made.
    private static func label() -> String {
        "culvert-check-" + String(UInt64.random(in: .min ... .max), radix: 36)
    }

    @Sendable private static func resolve(_ name: String) async -> Set<String> {
        Set((try? await NameLookup.addresses(of: name)) ?? [])
    }
}

extension RecordReport {
    fileprivate mutating func note(_ failure: RecordMaker.Failure) {
        self.state = failure == .different ? .different : .failed
        self.problem = failure.words
    }
}

extension RecordReport.State {
    fileprivate init(_ outcome: RecordMaker.Outcome) {
        self =
            switch outcome {
            case .made: .made
            case .present: .present
            case .replaced: .replaced
            }
    }
}

extension RecordMaker.Failure {
    fileprivate var words: String {
        switch self {
        case .different: "the name has another record."
        case .besideOthers:
            "the name has records of other types (MX, TXT, …), beside which no alias can be. Remove "
                + "them first."
        case .failed(let words): words
        }
    }
}
