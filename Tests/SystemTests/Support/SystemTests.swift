import Dispatch
import Testing

/// The real thing: culvert's processes, nginx and other origins, curl and other visitors, on loopback.
///
/// One after the other, since they measure time and memory and use the whole machine.
@Suite(.serialized, .processScope)
struct SystemTests {}

extension Trait where Self == ProcessScopeTrait {
    /// Gives each test a ``ProcessScope`` and threads that may block.
    static var processScope: Self { ProcessScopeTrait() }
}

/// Ends what a test started when the test ends, however it ends.
struct ProcessScopeTrait: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        guard testCase != nil else { return try await function() }
        let scope = ProcessScope()
        defer { scope.end() }
        // These tests wait for processes, so they stay off the few threads all other tests share.
        try await ProcessScope.$current.withValue(scope) {
            try await withTaskExecutorPreference(BlockingExecutor.shared) {
                try await function()
            }
        }
    }
}

/// Runs tasks on threads that may block.
final class BlockingExecutor: TaskExecutor {
    static let shared = BlockingExecutor()

    private let queue = DispatchQueue(label: "system-tests", attributes: .concurrent)

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        self.queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
