import Foundation

/// A systemd unit that runs one side of a tunnel, unprivileged, and restarts it.
///
/// For the systemd of Debian 12 (252) and later. `deploy/` has the two with nothing but defaults.
struct ServiceUnit {
    /// What the service does.
    enum Role {
        /// `culvert tunnel run`.
        case connector
        /// `culvert edge run`: may listen below port 1024, and keeps its store in ``stateDirectory``.
        case edge
    }

    let name: ServiceName
    let role: Role
    /// The program and its arguments; a `%d/NAME` at the start of one is a file of ``secrets``.
    let command: [Word]
    /// Files that root alone can read, by the name that the service sees them under.
    var secrets: [(name: String, file: String)] = []
    /// Groups whose files the service may read besides.
    var groups: [String] = []
    /// What holds an edge's ports; nil when it opens them itself.
    var socket: ServiceSocketUnit?
    /// How long requests may go on once it is told to stop.
    var grace: Duration = .seconds(30)

    /// A word of the command line.
    enum Word: Equatable {
        /// As it is, whatever characters are in it.
        case plain(String)
        /// A file of ``ServiceUnit/secrets``, by its name.
        case secret(String)
    }

    /// Where an edge's store has to be, and where a connector keeps what its edge sent.
    var stateDirectory: String { "/var/lib/" + self.state }

    private var state: String {
        self.name.text == "edge" ? "culvert" : "culvert-\(self.name.text)"
    }

    /// The unit file's text.
    var text: String {
        ([self.unit, self.service, Self.hardening] + [self.privileges, self.install])
            .joined(separator: "\n") + "\n"
    }

    private var unit: String {
        let what = self.role == .edge ? "edge" : "connector"
        let socket = self.socket?.name.socketUnit
        return """
            # Written by `culvert service install`; `systemctl edit \(self.name.unit)` adds to it.
            [Unit]
            Description=Culvert \(what) (\(self.name.text))
            Wants=network-online.target
            After=network-online.target\(socket.map { " \($0)\nRequires=\($0)" } ?? "")

            """
    }

    private var service: String {
        let words = self.command.map(\.quoted).joined(separator: " ")
        let stop = max(self.grace, .zero) + .seconds(5)
        var lines = [
            "[Service]", "Type=notify", "ExecStart=\(words)",
            "ExecReload=/bin/kill -HUP $MAINPID", "Restart=always", "RestartSec=5",
            "# A wrong command line or file is as wrong the next time.",
            "RestartPreventExitStatus=64 78", "WatchdogSec=30",
            "# The usual SIGABRT is caught by Swift's backtraces, which let a program go on.",
            "WatchdogSignal=SIGKILL",
            "# The grace period and a little more.",
            "TimeoutStopSec=\(stop.components.seconds)", "DynamicUser=yes",
        ]
        for secret in self.secrets {
            lines.append("LoadCredential=\(secret.name):\(secret.file.escapedForUnit)")
        }
        if !self.groups.isEmpty {
            lines.append("SupplementaryGroups=\(self.groups.joined(separator: " "))")
        }
        lines.append("# Its threads may not have a higher priority; that is no news for the log.")
        lines.append("Environment=LIBDISPATCH_LOG=NO")
        if self.role == .edge {
            lines.append("# `store:` of the configuration file is in here: \(self.stateDirectory).")
        } else {
            lines.append("# For the rules that the edge sent last, if they are not in a file here.")
        }
        lines += ["StateDirectory=\(self.state)", "StateDirectoryMode=0700"]
        if self.role == .edge { lines.append("LimitNOFILE=524288") }
        return lines.joined(separator: "\n") + "\n"
    }

    /// What either side can do without.
    private static let hardening = """
        # Sockets, and the files above: it needs no more.
        NoNewPrivileges=yes
        ProtectSystem=strict
        ProtectHome=yes
        PrivateTmp=yes
        PrivateDevices=yes
        ProtectProc=invisible
        ProtectClock=yes
        ProtectHostname=yes
        ProtectControlGroups=yes
        ProtectKernelLogs=yes
        ProtectKernelModules=yes
        ProtectKernelTunables=yes
        # NETLINK: it is told when the network changes.
        RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
        RestrictNamespaces=yes
        RestrictRealtime=yes
        RestrictSUIDSGID=yes
        LockPersonality=yes
        MemoryDenyWriteExecute=yes
        RemoveIPC=yes
        SystemCallArchitectures=native
        SystemCallFilter=@system-service
        SystemCallFilter=~@privileged
        SystemCallErrorNumber=EPERM
        UMask=0077
        """

    private var privileges: String {
        switch self.role {
        case .connector: "CapabilityBoundingSet=\n"
        case .edge:
            """
            AmbientCapabilities=CAP_NET_BIND_SERVICE
            CapabilityBoundingSet=CAP_NET_BIND_SERVICE

            """
        }
    }

    private var install: String {
        let also = self.socket.map { "\nAlso=\($0.name.socketUnit)" } ?? ""
        return "[Install]\nWantedBy=multi-user.target" + also
    }
}

extension ServiceUnit.Word {
    /// What would end a unit's line.
    var hasControlCharacters: Bool {
        guard case .plain(let text) = self else { return false }
        return text.utf8.contains { $0 < 0x20 || $0 == 0x7F }
    }

    /// As a unit's command line has it: quoted where it has to be, and nothing in it expanded.
    fileprivate var quoted: String {
        switch self {
        case .secret(let name): return "%d/\(name)"
        case .plain(let text):
            let escaped = text.escapedForUnit.replacing("$", with: "$$")
            let isSimple = escaped.utf8.allSatisfy {
                (0x21...0x7E).contains($0) && ![0x22, 0x27, 0x3B, 0x5C].contains($0)
            }
            guard !isSimple || text.isEmpty else { return escaped }
            let inside = escaped.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            return "\"\(inside)\""
        }
    }
}

extension String {
    /// Without specifiers, as a unit's values have it.
    fileprivate var escapedForUnit: String { self.replacing("%", with: "%%") }
}
