import Foundation
import Testing

extension SystemTests {
    /// A real browser: Chromium, which speaks HTTP/2, trusts the development edge's authority as a
    /// person would have it do, and resolves NAME.localhost by itself.
    @Suite struct Browser {
        /// What Programs/browser.html reports.
        private struct Report: Decodable, Equatable {
            var `protocol`: String
            var manyRequests: Bool
            var downAndUp: Bool
            var cookies: String
            var events: Int
            var websocket: [Item]
            var abort: Int
        }

        private enum Item: Decodable, Equatable {
            case text(String)
            case number(Int)
            case flag(Bool)

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if let flag = try? container.decode(Bool.self) {
                    self = .flag(flag)
                } else if let number = try? container.decode(Int.self) {
                    self = .number(number)
                } else {
                    self = .text(try container.decode(String.self))
                }
            }
        }

        @Test("Chromium: HTTP/2, uploads, cookies, EventSource, WebSocket, a fetch given up")
        func chromium() throws {
            let demo = try DemoPath.Demo()
            let origin = try Origin(in: demo.directory)
            let websockets = try WebSocketOrigin(in: demo.directory)
            let url = try demo.http(["\(origin.port)", "--hostname", "app"]).line("^https://.*$")
            try demo.http(["\(websockets.port)", "--hostname", "ws"]).line("^https://.*$")
            let home = try Self.homeThatTrusts(demo)
            let browser = try ManagedProcess(
                "/usr/bin/env",
                [
                    // Debian's script of that name stays in between and is no end to it.
                    "HOME=\(home)", "/usr/lib/chromium/chromium-headless-shell", "--no-sandbox",
                    "--disable-gpu", "--disable-dev-shm-usage",
                    "--user-data-dir=\(home)/profile",
                    "--remote-debugging-port=0",
                    "\(url)/page/browser.html?websockets=wss://ws.localhost:\(demo.port)/",
                ],
                in: demo.directory
            )
            let query = try waitFor(
                "the page's report",
                seconds: 60,
                explain: { browser.said + demo.edge.said }
            ) {
                try origin.log().map(\.target).first { $0.hasPrefix("/report?") }?.dropFirst(8)
            }
            let text = try #require(String(query).removingPercentEncoding)
            let report = try JSONDecoder().decode(Report.self, from: Data(text.utf8))
            #expect(
                report
                    == Report(
                        protocol: "h2",
                        manyRequests: true,
                        downAndUp: true,
                        cookies: "a=1; b=2",
                        events: 20,
                        websocket: [.text("héllo"), .flag(true), .number(4321), .flag(true)],
                        abort: 200
                    ),
                "\(text)"
            )
            #expect(try origin.wasLeft("browser"))
            try websockets.process.line("^closed 4321 done")
        }

        /// A home directory whose certificate database has the edge's authority.
        private static func homeThatTrusts(_ demo: DemoPath.Demo) throws -> String {
            let home = demo.directory.file("home")
            let database = "\(home)/.pki/nssdb"
            try FileManager.default.createDirectory(
                atPath: database,
                withIntermediateDirectories: true
            )
            for arguments in [
                ["-N", "--empty-password"],
                ["-A", "-n", "culvert", "-t", "C,,", "-i", demo.directory.file("dev/ca.pem")],
            ] {
                let certutil = try ManagedProcess(
                    "certutil",
                    ["-d", "sql:\(database)"] + arguments,
                    in: demo.directory
                )
                let status = try certutil.exit()
                guard status == 0 else { throw TestFailure(certutil.said) }
            }
            return home
        }
    }
}
