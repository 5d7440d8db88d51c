import ConfigurationFile
import CulvertEdge
import HTTPSemantics

/// A systemd unit that holds an edge's ports: connections wait in them while the edge is restarted.
///
/// systemd hands them over as sd_listen_fds(3) has it; the edge tells them apart by their ports.
struct ServiceSocketUnit {
    let name: ServiceName
    /// Each an IPv4 or IPv6 address and a port; [::] is IPv4 too.
    let addresses: [HostPort]

    /// Nil when there is an address that systemd cannot listen on: a name, or no fixed port.
    init?(name: ServiceName, _ listen: EdgeConfiguration.Listen) {
        self.name = name
        // The status pages are this machine's own, and a scrape that fails is made again.
        self.addresses = [listen.https, listen.http].compactMap { $0 }
        guard self.addresses.allSatisfy({ $0.port != 0 && IPAddress($0.host) != nil }) else {
            return nil
        }
    }

    /// The unit file's text.
    var text: String {
        let streams = self.addresses.map { "ListenStream=\($0)" }.joined(separator: "\n")
        return """
            # Written by `culvert service install`; the ports are those of the edge's configuration file.
            [Unit]
            Description=Ports of the Culvert edge (\(self.name.text)), which stay open while it restarts

            [Socket]
            \(streams)
            BindIPv6Only=both
            Backlog=4096
            NoDelay=yes

            [Install]
            WantedBy=sockets.target

            """
    }
}
