import NIOCore
import Testing

@testable import HTTP2Wire

/// What is a flood of PING and the like, and what is not.
@Suite struct ControlFrameRateTests {
    private func time(_ milliseconds: Int64) -> NIODeadline {
        .uptimeNanoseconds(100_000_000_000) + .milliseconds(milliseconds)
    }

    @Test func someAreFreeInEachSecond() {
        var rate = ControlFrameRate(perSecond: 3)
        let first = (0..<4).map { _ in rate.allows(dataFrames: 0, now: self.time(0)) }
        #expect(first == [true, true, true, false])
        let late = rate.allows(dataFrames: 0, now: self.time(999))
        #expect(!late)
        let next = (0..<4).map { _ in rate.allows(dataFrames: 0, now: self.time(1000)) }
        #expect(next == [true, true, true, false])
    }

    @Test func eachDataFramePaysForOne() {
        var rate = ControlFrameRate(perSecond: 3)
        for frame in 1...10_000 {
            let isFine = rate.allows(dataFrames: frame, now: self.time(Int64(frame / 100)))
            #expect(isFine)
        }
        // What flowed in a second that is over pays for nothing.
        let later = (0..<4).map { _ in rate.allows(dataFrames: 10_000, now: self.time(5_000)) }
        #expect(later == [true, true, true, false])
    }
}
