import ConfigurationFile
import Glibc

/// How a hook is run, and what its exit code means.
///
///     PROGRAM ARGUMENT… set|replace|delete NAME TYPE TTL VALUE…
///
/// once for each type. NAME is a hostname or `*.` and one, TYPE `CNAME`, `A` or `AAAA`, TTL seconds; each VALUE
/// is a name or an address; no name has a dot at its end. `set` makes the records unless there are others,
/// `replace` makes them in the place of others, `delete` removes them if they are exactly these.
enum HookCall {
    /// What is to be done.
    enum Action: String {
        case set, replace, delete
    }

    /// What became of it.
    enum Reply: Equatable {
        /// Exit code 0: it is so now, or was already. With what it wrote to standard error.
        case done(String)
        /// Exit code 3: the name has other records, which were left alone.
        case others
        /// Anything else; a sentence for a person.
        case failed(String)
    }

    static func calls(
        _ action: Action,
        _ records: NameRecords,
        words: [String],
        provider: DNSProvider
    ) -> [ProgramCall] {
        guard let program = words.first else { return [] }
        return records.groups.map { group in
            let own = [
                action.rawValue, "\(records.name)", group.type, "\(provider.ttlSeconds)",
            ]
            return ProgramCall(
                program,
                words.dropFirst() + own + group.values,
                timeout: provider.timeout
            )
        }
    }

    static func reply(_ end: ProgramEnd, of call: ProgramCall) -> Reply {
        let lines = end.errors.split(separator: "\n").suffix(20).map {
            "  " + printable(String($0))
        }
        let said = lines.joined(separator: "\n")
        let saying = said.isEmpty ? "." : ", saying:\n\(said)"
        switch end.cause {
        case .exited(0): return .done(said)
        case .exited(3): return .others
        case .exited(let status):
            return .failed("The hook \(call.program) failed with exit code \(status)\(saying)")
        case .signalled(let signal):
            return .failed("The hook \(call.program) was ended by signal \(signal)\(saying)")
        case .timedOut:
            return .failed(
                "The hook \(call.program) did not end within \(call.timeout.written), and was ended"
                    + saying
            )
        case .notStarted(let code):
            let reason = String(cString: strerror(code))
            return .failed("The hook \(call.program) cannot be run: \(reason).")
        }
    }
}
