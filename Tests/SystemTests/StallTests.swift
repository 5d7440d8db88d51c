import Foundation
import Testing

extension SystemTests {
    /// "A stalled reader of a 1 GiB body, and a stalled origin under a 1 GiB upload: edge and connector
    /// each grow by less than 16 MiB, and other streams keep their speed."
    @Suite struct Stall {
        static let size = isLongRun ? 1 << 30 : 200 << 20
        static let allowance = 16 << 20
        /// Seconds for an upload: with a debug build, on a machine that does other things.
        static let patience = isLongRun ? 400 : 120

        /// Memory of both ends before something, to compare with.
        private struct Memory {
            let processes: [(name: String, process: ManagedProcess, before: Int)]

            init(_ edge: ManagedProcess, _ connector: ManagedProcess) {
                self.processes = [("edge", edge), ("connector", connector)].map {
                    ($0.0, $0.1, $0.1.residentBytes)
                }
            }

            func check(_ what: String) {
                for (name, process, before) in self.processes {
                    let growth = process.residentBytes - before
                    print("\(what): \(name) \(before >> 20) MiB, grew by \(growth >> 10) KiB")
                    #expect(growth < Stall.allowance, "\(what): \(name)")
                }
            }
        }

        /// A world whose allocators have seen bodies before.
        private func world() throws -> (Faithfulness.World, Memory) {
            let deployment = try Deployment()
            let origin = try Origin(in: deployment.directory)
            let connector = try deployment.startConnector(to: origin)
            let world = Faithfulness.World(deployment: deployment, origin: origin)
            for version in Faithfulness.versions {
                #expect(try world.curl("/bytes/20000000", [version]).exit == 0)
                let file = try deployment.directory.write(Data(count: 20_000_000), to: "warm")
                #expect(try Echo(world.curl("/up", [version, "-T", file])).bodyBytes == 20_000_000)
            }
            return (world, Memory(deployment.edge, connector))
        }

        private func checkOthers(_ world: Faithfulness.World) throws {
            let start = ContinuousClock.now
            for index in 0..<15 {
                let version = Faithfulness.versions[index % 2]
                #expect(
                    try Echo(world.curl("/other/\(index)", [version])).target == "/other/\(index)"
                )
            }
            let body = try world.curl("/bytes/20000000?seed=9")
            #expect(body.exit == 0 && body.body.count == 20_000_000)
            #expect(seconds(since: start) < 20)
        }

        @Test("stalled readers", .timeLimit(.minutes(3)))
        func stalledReaders() throws {
            let (world, memory) = try self.world()
            var readers: [Curl.Running] = []
            for version in Faithfulness.versions {
                // Nobody reads the pipe that curl writes to.
                let pipe = world.deployment.directory.file("pipe" + version)
                try #require(mkfifo(pipe, 0o600) == 0)
                let keeper = open(pipe, O_RDWR | O_CLOEXEC)
                ProcessScope.current?.atEnd { close(keeper) }
                readers.append(
                    try world.deployment.beginCurl(
                        "/bytes/\(Self.size)",
                        [version],
                        output: pipe
                    )
                )
            }
            try waitFor("both requests") { try world.origin.openRequests().count == 2 ? true : nil }
            try self.checkOthers(world)
            #expect(try world.origin.openRequests().count == 2, "the origin could send all of it")
            memory.check("stalled readers")
            for reader in readers { reader.process.killNow() }
            try waitFor("the end of what nobody reads") {
                try world.origin.openRequests().isEmpty ? true : nil
            }
        }

        @Test(
            "hundreds of stalled readers do not take the tunnel from others",
            .timeLimit(.minutes(3))
        )
        func manyStalledReaders() throws {
            let (world, _) = try self.world()
            let readers = try ManagedProcess(
                Programs.python,
                [
                    Programs.script("stalled_readers.py"), "650", Deployment.host,
                    "\(world.deployment.port)", world.deployment.certificates.authority,
                    "/bytes/1000000000",
                ],
                in: world.deployment.directory
            )
            var longest = 0.0
            var visits = 0
            // While they come, and then for some more.
            while readers.lines("ready") == 0 || visits < 20 {
                let start = ContinuousClock.now
                let answer = try world.curl("/other", ["--max-time", "20"])
                #expect(answer.exit == 0 && answer.status == 200, "\(answer.said)")
                longest = max(longest, seconds(since: start))
                visits += 1
            }
            print("beside 650 stalled readers: \(visits) visits, \(longest) s at most")
            #expect(longest < 15)
        }

        @Test(
            "a stalled origin under uploads; they complete when it goes on",
            .timeLimit(.minutes(isLongRun ? 9 : 3))
        )
        func stalledOrigin() throws {
            let (world, memory) = try self.world()
            let file = world.deployment.directory.file("large")
            try #require(FileManager.default.createFile(atPath: file, contents: nil))
            try #require(truncate(file, off_t(Self.size)) == 0)
            let uploads = try Faithfulness.versions.map { version in
                try world.deployment.beginCurl(
                    "/stall/go",
                    [version, "-T", file, "--max-time", "\(Self.patience)"]
                )
            }
            try waitFor("both requests") { try world.origin.openRequests().count == 2 ? true : nil }
            try self.checkOthers(world)
            memory.check("stalled origin")
            for upload in uploads { #expect(upload.process.exitStatus() == nil) }
            try world.origin.release("go")
            for upload in uploads {
                let answer = try upload.finish(within: Double(Self.patience))
                #expect(try Echo(answer).bodyBytes == Self.size)
            }
            memory.check("after the uploads")
        }
    }
}
