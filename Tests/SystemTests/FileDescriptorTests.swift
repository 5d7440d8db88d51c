import Foundation
import Glibc
import Testing

extension SystemTests {
    /// Processes that may have few files open.
    @Suite(.timeLimit(.minutes(2))) struct FileDescriptors {
        @Test("an edge whose descriptors visitors use up goes on, and says how many it lets in")
        func edge() throws {
            let deployment = try Deployment(limits: ["connections-per-address: 10000"])
            let origin = try Origin(in: deployment.directory)
            deployment.edge.end()
            let file = deployment.directory.text("edge.yml")
                .replacingOccurrences(of: #"metrics: "off""#, with: #"metrics: "127.0.0.1:0""#)
            try deployment.directory.write(file, to: "edge.yml")
            let edge = try ManagedProcess(
                "prlimit",
                [
                    "--nofile=256:256", Programs.culvert, "edge", "run", "--config",
                    deployment.directory.file("edge.yml"),
                ],
                in: deployment.directory
            )
            try edge.line("limits.connections is 65536.*96 connections are let in")
            let started = try edge.line("^.*Edge started.*$")
            let metrics = try #require(
                started.firstMatch(#"metrics=[^ ]*:(\d+)"#).flatMap { Int($0) }
            )
            try deployment.startConnector(to: origin)
            var sockets: [CInt] = []
            defer { for socket in sockets { close(socket) } }
            for round in 0..<400 {
                if let socket = connectedSocket(port: deployment.port) { sockets.append(socket) }
                guard round % 20 == 0 else { continue }
                let scrape = try Curl(
                    "http://127.0.0.1:\(metrics)/metrics",
                    in: deployment.directory
                )
                #expect(scrape.status == 200, "\(scrape.said)")
                let end = "culvert_edge_certificate_not_after_timestamp_seconds{certificate="
                #expect(scrape.text.contains(end), "\(scrape.text)")
            }
            #expect(edge.exitStatus() == nil, "\(edge.said)")
            for socket in sockets { close(socket) }
            sockets = []
            try waitFor("a visit that is let in") {
                try deployment.curl("/status/201").status == 201 ? true : nil
            }
        }

        @Test("a connector takes no more requests than it has descriptors for")
        func connector() throws {
            let deployment = try Deployment()
            let origin = try Origin(in: deployment.directory)
            try deployment.startConnector(to: origin, within: ["prlimit", "--nofile=160:160"])
            var held: [Curl.Running] = []
            for _ in 0..<60 { held.append(try deployment.beginCurl("/hold/it")) }
            try waitFor("as many requests as it may have") {
                try origin.openRequests().count >= 24 ? true : nil
            }
            try origin.release("it")
            let statuses = try held.map { try $0.finish().status }
            #expect(statuses.count { $0 == 200 } >= 24, "\(statuses)")
            #expect(statuses.allSatisfy { $0 == 200 || $0 == 503 }, "\(statuses)")
            #expect(try deployment.curl("/status/201").status == 201)
        }
    }
}
