// The icons in use: Font Awesome 4.7 code points, merged into the text font. A word always stands
// beside an icon, so that nothing is lost where the font is missing.
#pragma once

namespace lathe::ui::icon {

inline constexpr const char* kPlay = "\xef\x81\x8b";        // f04b
inline constexpr const char* kPause = "\xef\x81\x8c";       // f04c
inline constexpr const char* kStop = "\xef\x81\x8d";        // f04d
inline constexpr const char* kFirst = "\xef\x81\x88";       // f048
inline constexpr const char* kLast = "\xef\x81\x91";        // f051
inline constexpr const char* kBack = "\xef\x81\x93";        // f053
inline constexpr const char* kForward = "\xef\x81\x94";     // f054
inline constexpr const char* kCheck = "\xef\x80\x8c";       // f00c
inline constexpr const char* kCross = "\xef\x80\x8d";       // f00d
inline constexpr const char* kTrash = "\xef\x80\x94";       // f014
inline constexpr const char* kClock = "\xef\x80\x97";       // f017
inline constexpr const char* kSearch = "\xef\x80\x82";      // f002
inline constexpr const char* kRefresh = "\xef\x80\xa1";     // f021
inline constexpr const char* kTag = "\xef\x80\xab";         // f02b
inline constexpr const char* kWarning = "\xef\x81\xb1";     // f071
inline constexpr const char* kInfo = "\xef\x81\x9a";        // f05a
inline constexpr const char* kPlus = "\xef\x81\xa7";        // f067
inline constexpr const char* kBolt = "\xef\x83\xa7";        // f0e7
inline constexpr const char* kCircle = "\xef\x84\x91";      // f111
inline constexpr const char* kCircleOpen = "\xef\x84\x8c";  // f10c
inline constexpr const char* kBan = "\xef\x81\x9e";         // f05e
inline constexpr const char* kColumns = "\xef\x83\x9b";     // f0db
inline constexpr const char* kRepeat = "\xef\x80\x9e";      // f01e
inline constexpr const char* kChart = "\xef\x88\x81";       // f201
inline constexpr const char* kSliders = "\xef\x87\x9e";     // f1de
inline constexpr const char* kFlask = "\xef\x83\x83";       // f0c3
inline constexpr const char* kUndo = "\xef\x83\xa2";        // f0e2
inline constexpr const char* kList = "\xef\x80\xba";        // f03a

}  // namespace lathe::ui::icon
