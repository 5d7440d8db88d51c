import ConfigurationFile
import Glibc

/// What became of an update, from what nsupdate(1) says: `update failed: RCODE`, or `RCODE(TSIG ERROR)`.
enum NsupdateReply: Equatable {
    case done
    /// A prerequisite does not hold: nothing was changed.
    case unmet
    /// A sentence for a person.
    case failed(String)

    init(_ end: ProgramEnd, server: HostPort?, keyFile: String?, provider: DNSProvider) {
        let place = server.map { "\($0)" } ?? "the primary server of \(provider.zone)"
        switch end.cause {
        case .notStarted(ENOENT):
            self = .failed(
                "nsupdate is not installed: it is in the package bind9-dnsutils of Debian and Ubuntu, "
                    + "bind-utils of Fedora."
            )
            return
        case .notStarted(let code):
            self = .failed("nsupdate cannot be run: \(String(cString: strerror(code))).")
            return
        case .timedOut:
            self = .failed("\(place) did not answer within \(provider.timeout.written).")
            return
        case .signalled(let signal):
            self = .failed("nsupdate was ended by signal \(signal).")
            return
        case .exited(let status):
            if let code = Self.code(in: end.errors) {
                self.init(code, place, keyFile, provider)
                return
            }
            // It says so, sends the update unsigned, and may well end with 0.
            let hasNoKey = end.errors.contains("could not read key")
            guard status != 0 || hasNoKey else {
                self = .done
                return
            }
            self = .failed(Self.words(end, place, keyFile, hasNoKey: hasNoKey))
        }
    }

    private init(_ code: String, _ place: String, _ keyFile: String?, _ provider: DNSProvider) {
        let key = keyFile.map { "the key of \($0)" } ?? "an unsigned update (there is no key-file)"
        switch code {
        case "YXDOMAIN", "YXRRSET", "NXDOMAIN", "NXRRSET": self = .unmet
        case "REFUSED":
            self = .failed(
                "\(place) refuses to let \(key) change this name (REFUSED): its update-policy or "
                    + "allow-update for \(provider.zone) has to."
            )
        case "NOTAUTH(BADKEY)":
            self = .failed(
                "\(place) does not know \(key) (BADKEY): the key's name and algorithm have to be "
                    + "the same there."
            )
        case "NOTAUTH(BADSIG)":
            self = .failed("\(place) has another secret for \(key) (BADSIG).")
        case "NOTAUTH(BADTIME)":
            self = .failed(
                "The clocks of \(place) and of this machine are too far apart (BADTIME): set them."
            )
        case "NOTAUTH":
            self = .failed(
                "\(place) is no primary server of the zone \(provider.zone) (NOTAUTH): check `zone` "
                    + "and `server`."
            )
        case "NOTZONE":
            self = .failed("\(place) says that the name is not in \(provider.zone) (NOTZONE).")
        case "SERVFAIL":
            self = .failed(
                "\(place) failed (SERVFAIL): its log says why. Often it may not write the zone's "
                    + "folder."
            )
        case "NOTIMP", "FORMERR":
            self = .failed("\(place) does not take dynamic updates (\(code)).")
        default: self = .failed("\(place) answered \(printable(code)).")
        }
    }

    /// The last code; a line before it may say of what kind a TSIG error is.
    private static func code(in text: String) -> String? {
        let mark = "update failed: "
        let line = text.split(separator: "\n").last { $0.hasPrefix(mark) }
        return line.map { String($0.dropFirst(mark.count).prefix { $0 != " " }) }
    }

    private static func words(
        _ end: ProgramEnd,
        _ place: String,
        _ keyFile: String?,
        hasNoKey: Bool
    ) -> String {
        let said = end.errors.split(separator: "\n").map { printable(String($0)) }
        if hasNoKey {
            return
                "nsupdate finds no TSIG key in \(keyFile ?? "the key's file"), such as `tsig-keygen` "
                + "makes."
        }
        if let line = said.first(where: { $0.contains("Communication with") }) {
            return "\(place) cannot be reached: \(line.drop { $0 == ";" || $0 == " " })."
        }
        if said.contains(where: { $0.contains("couldn't get address") }) {
            return "The name of \(place) has no address."
        }
        let text = said.prefix(5).joined(separator: "; ")
        return "nsupdate failed: \(text.isEmpty ? "it does not say why" : text)."
    }
}
