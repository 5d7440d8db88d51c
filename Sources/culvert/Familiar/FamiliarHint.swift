/// Advice for what people type who come from cloudflared or ngrok, where this program has something else. It
/// is given only when the arguments are wrong, below what is wrong with them.
struct FamiliarHint {
    /// The words that the command line begins with.
    private let command: [String]
    /// An option that is among the rest; nil for none in particular.
    private let option: String?
    private let advice: String

    private init(_ command: String, _ advice: String) {
        let words = command.split(separator: " ").map(String.init)
        self.command = words.filter { !$0.hasPrefix("--") }
        self.option = words.first { $0.hasPrefix("--") }
        self.advice = advice
    }

    /// What to say of arguments that are wrong; nil when there is nothing familiar in them.
    static func advice(on words: [String]) -> String? {
        self.all.first { $0.fits(words) }?.advice
    }

    private func fits(_ words: [String]) -> Bool {
        guard words.starts(with: self.command) else { return false }
        guard let option else { return true }
        return words.contains { $0 == option || $0.hasPrefix(option + "=") }
    }

    private static let privateNetworks =
        "Private networks are not routed. Several hosts behind one tunnel: `service: bastion` or "
        + "`socks-proxy` with `ipRules`, see conf/config.yml, and `culvert access`."
    private static let login =
        "Who may use an edge logs in to it: `culvert login https://edge.example.com`; a code in "
        + "$CULVERT_ENROLMENT does it without a browser."
    private static let region = "There are no regions: the edge is where you run it."
    private static let update =
        "culvert does not update itself: put the new program in the old one's place, and restart."
    private static let hostHeader =
        "ngrok's --host-header is `originRequest: {httpHostHeader: …}` of a rule in config.yml, for "
        + "`culvert tunnel run`."
    private static let visitorAccess =
        "Visitors are let in by --basic-auth and --cidr-allow, or by the service itself."
    private static let inspector = "`culvert tail TUNNEL` shows each request as it happens."

    /// The first that fits is given.
    private static let all = [
        // cloudflared
        FamiliarHint("tunnel login", Self.login),
        FamiliarHint("tunnel vnet", Self.privateNetworks),
        FamiliarHint("tunnel network", Self.privateNetworks),
        FamiliarHint("tunnel route ip", Self.privateNetworks),
        FamiliarHint(
            "tunnel route lb",
            "Several connectors of one tunnel share its requests by themselves; --balance of "
                + "`culvert tunnel route dns` says how."
        ),
        FamiliarHint(
            "tunnel --protocol",
            "There is one protocol, TLS and WebSocket over TCP: leave --protocol out."
        ),
        FamiliarHint(
            "tunnel --metrics",
            "Say `metrics: HOST:PORT` in config.yml, or CULVERT_METRICS=HOST:PORT."
        ),
        FamiliarHint("tunnel --grace-period", "Say `grace-period: 30s` in config.yml."),
        FamiliarHint("tunnel --origincert", Self.login),
        FamiliarHint("tunnel --region", Self.region),
        FamiliarHint(
            "tunnel --logfile",
            "The log goes to standard error: `2>FILE`, or leave it to systemd's journal."
        ),
        FamiliarHint(
            "tunnel --hello-world",
            "A page to try it with: `culvert http hello_world`."
        ),
        FamiliarHint(
            "tunnel --url",
            "Without an account, or with a random name: `culvert http URL`; a tunnel with a name: "
                + "`culvert tunnel run NAME --url URL`."
        ),
        FamiliarHint(
            "tunnel --name",
            "`culvert tunnel create NAME`, `culvert tunnel route dns NAME HOSTNAME`, `culvert tunnel run "
                + "NAME`."
        ),
        FamiliarHint("tunnel cleanup --connector-id", "Every connector is put out: leave it out."),
        FamiliarHint(
            "access login",
            "There is no login of visitors at the edge: a rule's `basicAuth` is answered with "
                + "`--header 'Authorization: Basic …'`."
        ),
        FamiliarHint("access token", "There are no tokens of visitors: see `basicAuth` of rules."),
        FamiliarHint("access curl", "curl itself will do: a tunnel's hostname is an ordinary one."),
        FamiliarHint("update", Self.update),
        FamiliarHint(
            "proxy-dns",
            "DNS over HTTPS is not part of this: a resolver such as unbound or dnscrypt-proxy is."
        ),
        // ngrok
        FamiliarHint("config", Self.login),
        FamiliarHint("authtoken", Self.login),
        FamiliarHint("http --authtoken", Self.login),
        FamiliarHint("tcp --authtoken", Self.login),
        FamiliarHint("http --host-header", Self.hostHeader),
        FamiliarHint("http --region", Self.region),
        FamiliarHint("tcp --region", Self.region),
        FamiliarHint("http --oauth", Self.visitorAccess),
        FamiliarHint("http --oidc", Self.visitorAccess),
        FamiliarHint("http --inspect", Self.inspector),
        FamiliarHint(
            "http --scheme",
            "Visitors come by https; `listen` in edge.yml says what becomes of plain http."
        ),
        FamiliarHint(
            "tcp --remote-addr",
            "The port alone, at the edge: `culvert tcp 22 --port 20022`."
        ),
        FamiliarHint("tcp --url", "The port alone, at the edge: `culvert tcp 22 --port 20022`."),
        FamiliarHint(
            "tls",
            "TLS ends at the edge: `culvert http https://HOST:PORT`; bytes as they are: `culvert tcp`."
        ),
        FamiliarHint(
            "start",
            "The tunnels of files: `culvert tunnel run --config FILE --config FILE …`."
        ),
        FamiliarHint(
            "service start",
            "`systemctl start culvert-connector`; `culvert service install` makes it."
        ),
        FamiliarHint("service stop", "`systemctl stop culvert-connector` does."),
        FamiliarHint(
            "api",
            "The API's description is at https://edge.example.com/api/v1/openapi.json."
        ),
    ]
}
