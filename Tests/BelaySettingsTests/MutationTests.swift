import BelayCore
import BelaySettings
import Testing

/// Files that nobody wrote on purpose: each is settings or problems, and never a crash.
@Suite struct MutationTests {
    /// Settings or problems, and settings that can be written and read again.
    private func judge(_ text: String) {
        let (settings, problems) = SettingsFile.load(text: text, file: "f")
        #expect((settings == nil) == problems.hasErrors)
        for problem in problems {
            guard let position = problem.position else { continue }
            #expect(position.line >= 1 && position.column >= 1)
            #expect(!problem.description.contains("\n"))
        }
        guard var settings else { return }
        let texts = [Reference.file(of: settings), Reference.expandedFile(of: settings)]
        settings.keys.ring = []
        for text in texts { #expect(SettingsFile.load(text: text, file: "f").0 == settings) }
    }

    @Test func `every prefix of a file is judged`() {
        let scalars = fullFile.unicodeScalars
        for end in scalars.indices { self.judge(String(scalars[..<end])) }
    }

    @Test(arguments: [1, 2, 3, 4])
    func `files with random changes are judged`(seed: Int) {
        var random = RandomSource(seed: UInt64(seed))
        let lines = fullFile.split(separator: "\n", omittingEmptySubsequences: false)
        let signs = Array(":-[]{}\"'*&!|>%@`#,?~<= \t\n\r\u{FEFF}\u{A0}\u{1}0aé".unicodeScalars)
        for _ in 0..<500 {
            var scalars = Array(fullFile.unicodeScalars)
            for _ in 0...random.below(3) {
                let place = random.below(scalars.count)
                switch random.below(5) {
                case 0: scalars.remove(at: place)
                case 1: scalars[place] = signs[random.below(signs.count)]
                case 2: scalars.insert(signs[random.below(signs.count)], at: place)
                case 3:
                    // A line that stands elsewhere too: keys and anchors appear twice.
                    let line = Array((lines[random.below(lines.count)] + "\n").unicodeScalars)
                    scalars.insert(contentsOf: line, at: place)
                default:
                    let end = min(scalars.count, place + random.below(40))
                    scalars.removeSubrange(place..<end)
                }
                if scalars.isEmpty { break }
            }
            self.judge(String(String.UnicodeScalarView(scalars)))
        }
    }
}
