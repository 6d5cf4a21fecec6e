//! Every sentence, label and name that the window shows, in both languages.

use crate::Lang;

macro_rules! strings {
    ($($name:ident: $en:literal, $zh:literal;)*) => {
        /// Something the window says.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the table says what each one says")]
        pub enum Key { $($name),* }

        impl Key {
            /// Everything the window can say.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            fn both(self) -> (&'static str, &'static str) {
                match self { $(Self::$name => ($en, $zh)),* }
            }
        }
    };
}

/// What `key` says in `lang`.
pub fn t(lang: Lang, key: Key) -> &'static str {
    let (en, zh) = key.both();
    lang.pick(en, zh)
}

/// What `key` says in `lang`, with `{0}`, `{1}`, … replaced.
pub fn fill(lang: Lang, key: Key, values: &[&str]) -> String {
    let mut text = t(lang, key).to_owned();
    for (i, value) in values.iter().enumerate() {
        text = text.replace(&format!("{{{i}}}"), value);
    }
    text
}

/// What a language calls itself, the same in both.
pub fn own_name(lang: Lang) -> &'static str {
    lang.pick("English", "简体中文")
}

/// A count with its thousands apart: `1,204`.
pub fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size in decimal units, as files are sold: `98 MB`, `1.4 GB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        1_000_000..1_000_000_000 => format!("{} MB", (bytes + 500_000) / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// A number of weights: `135M`, `1.7B`.
pub fn weights(parameters: u64) -> String {
    match parameters {
        0..1_000_000 => format!("{}K", parameters / 1_000),
        1_000_000..999_500_000 => format!("{:.0}M", parameters as f64 / 1e6),
        _ => format!("{:.1}B", parameters as f64 / 1e9),
    }
}

/// A duration to be waited for: `3 s`, `2 min`.
pub fn duration(lang: Lang, seconds: f64) -> String {
    let seconds = seconds.ceil().max(0.0) as u64;
    match (seconds, lang) {
        (0..100, Lang::En) => format!("{seconds} s"),
        (0..100, Lang::Zh) => format!("{seconds} 秒"),
        (_, Lang::En) => format!("{} min", seconds.div_ceil(60)),
        (_, Lang::Zh) => format!("{} 分钟", seconds.div_ceil(60)),
    }
}

strings! {
    // Pages and the rail
    Write: "Write", "写作";
    Paint: "Paint", "绘画";
    Sound: "Sound", "声音";
    Models: "Models", "模型";
    Settings: "Settings", "设置";
    Notebook: "Notebook", "笔记";
    Chat: "Chat", "对话";

    // Commands
    Generate: "Generate", "生成";
    GenerateTip: "Go on writing at the cursor", "从光标处继续写";
    Send: "Send", "发送";
    SendTip: "Send the message to the model", "把消息发给模型";
    Stop: "Stop", "停止";
    StopTip: "Stop what is running; what has been written stays", "停止当前任务，已写的内容会保留";
    Regenerate: "Regenerate", "重新生成";
    RegenerateTip: "Write the last generated part again, differently; the old one stays as a variant", "换一种写法重写上一段，原来的保留为变体";
    Undo: "Undo", "撤销";
    UndoTip: "Take back the last change", "撤销上一步";
    Redo: "Redo", "重做";
    RedoTip: "Bring back what was undone", "恢复撤销的内容";
    NewDocument: "New document", "新建文稿";
    NewDocumentTip: "Start an empty document", "新建一篇空白文稿";
    OpenFile: "Open…", "打开…";
    OpenFileTip: "Open a .md or .txt file as a document", "打开 .md 或 .txt 文件";
    SaveFile: "Save", "保存";
    SaveFileTip: "Save the text as a file, with its recipe beside it", "把文稿存为文件，并附上配方";
    SaveFileAs: "Save as…", "另存为…";
    SaveFileAsTip: "Save the text under another name, with its recipe beside it", "以另一个名称保存文稿，并附上配方";
    Find: "Find", "查找";
    FindTip: "Find text in this document", "在文稿中查找";
    Preview: "Preview", "预览";
    PreviewTip: "Show the document with its Markdown laid out", "显示 Markdown 排版效果";
    ToggleDocuments: "Documents", "文稿列表";
    ToggleDocumentsTip: "Show or hide the list of documents", "显示或隐藏文稿列表";
    ToggleInspector: "Inspector", "检查器";
    ToggleInspectorTip: "Show or hide the panel that shapes the next result", "显示或隐藏生成设置面板";
    OpenModel: "Open a model…", "打开模型…";
    OpenModelTip: "Open a model from this computer: GGUF, safetensors or a PyTorch checkpoint", "打开本机上的模型：GGUF、safetensors 或 PyTorch 检查点";
    GoWriteTip: "Documents and conversations", "文稿与对话";
    GoPaintTip: "Draw pictures that never were, and steer them", "绘制从未有过的图片，并随心调整";
    GoSoundTip: "Play a network live, and let it play notes", "现场演奏网络，或让它演奏音符";
    GoModelsTip: "The models on this computer", "本机上的模型";
    GoSettingsTip: "Language, look, models and files", "语言、外观、模型与文件";
    Shortcuts: "Keyboard shortcuts", "快捷键";
    ShortcutsTip: "Every key the studio knows", "全部快捷键";
    ZoomIn: "Larger interface", "放大界面";
    ZoomOut: "Smaller interface", "缩小界面";
    ZoomReset: "Normal size", "恢复默认大小";
    NextVariant: "Next variant", "下一个变体";
    PreviousVariant: "Previous variant", "上一个变体";
    VariantTip: "Go through the versions of the last generated part", "在上一段的各个版本间切换";
    Tasks: "Tasks", "任务";
    TasksKeyTip: "To what the model can do with the selection or the document", "转到可对选中内容或全文执行的任务";
    NewSeedTip: "Another seed for the next text", "为下一次生成换一个种子";
    SwitchMode: "Notebook or chat", "笔记或对话";
    SwitchModeTip: "From the notebook to the conversations, and back", "在笔记与对话之间切换";
    NotebookTip: "A text that the model goes on writing", "由模型接着写的文稿";
    ChatTip: "Questions and answers", "与模型一问一答";
    More: "More", "更多";
    MoreTip: "What has no room beside it", "放不下的其他操作";
    KeyBranch: "Other words at the cursor", "光标处的其他候选词";
    KeyBranchClick: "Other words at a word", "某个词的其他候选词";
    KeyFindNext: "Next match", "下一处匹配";
    KeyFindPrevious: "Previous match", "上一处匹配";
    KeySend: "Send the message", "发送消息";
    KeyNewLine: "New line in the message", "消息内换行";
    Click: "click", "点击";
    Quit: "Quit", "退出";
    QuitTip: "Everything is saved first", "退出前会自动保存";

    // The editor
    EditorName: "Document text", "文稿正文";
    BranchHint: "Click a word to branch from here", "点击一个词，从这里分叉";
    TokenNumber: "Token {0}", "词元 {0}";
    BranchChoice: "Branch with {0}, {1}", "以“{0}”分叉，{1}";
    FindWhat: "Find in the document", "在文稿中查找";
    FindCount: "{0} of {1}", "{0} / {1}";
    FindNothing: "No matches", "没有匹配";
    FindNext: "Next match", "下一处";
    FindPrevious: "Previous match", "上一处";
    FindClose: "Close find", "关闭查找";
    ReplaceWith: "Replace with", "替换为";
    ReplaceOne: "Replace", "替换";
    ReplaceAll: "Replace all", "全部替换";

    // Around every page
    Model: "Model", "模型";
    ModelTip: "The model that writes; click to choose another", "正在使用的模型，点击可更换";
    NoModel: "No model", "没有模型";
    Opening: "opening…", "正在打开…";
    Ready: "Ready", "就绪";
    ReadyWithoutModel: "No model is open", "尚未打开模型";
    EndedByModel: "finished by the model", "模型已写完";
    EndedByStop: "ended before a stop string", "遇到停止词而结束";
    EndedByLength: "length limit reached", "已达到长度上限";
    EndedByContext: "context full", "上下文已满";
    EndedByBan: "every way on is forbidden", "后续写法均被禁止";
    EndedByUser: "stopped", "已停止";
    EndedByFailure: "broke off", "意外中断";
    EndedTip: "Why the latest text ended", "最近一段文字结束的原因";
    ContinueReply: "Continue", "继续";
    ContinueReplyTip: "Go on from where this answer was cut off; the short one stays as a variant", "从中断处接着回答，原来的回答保留为变体";
    Stopping: "Stopping…", "正在停止…";
    OpeningModel: "Opening {0}", "正在打开 {0}";
    ReadingOf: "Reading {0} of {1}", "正在阅读 {0} / {1}";
    WritingOf: "Writing {0} of {1}", "正在写 {0} / {1}";
    Writing: "Writing…", "正在写…";
    WorkingOnFiles: "Working on files", "正在处理文件";
    TokensPerSecond: "{0} tokens/s", "{0} 词元/秒";
    PerSecond: "{0}/s", "{0}/秒";
    TimeLeft: "{0} left", "还需 {0}";
    Tokens: "{0} tokens", "{0} 词元";
    Cancel: "Cancel", "取消";
    Close: "Close", "关闭";
    Dismiss: "Dismiss", "关闭提示";
    Delete: "Delete", "删除";
    Copy: "Copy", "复制";
    MemoryTip: "Memory this program uses", "本程序占用的内存";
    CountsTip: "Words and tokens in what is shown", "当前内容的字数与词元数";
    DropModel: "Drop to open this model", "松开以打开模型";
    DropText: "Drop to open as a document", "松开以打开为文稿";
    DropPicture: "Drop to open this picture", "松开以打开图片";
    DropPhotograph: "Drop to learn its texture", "松开以学习其纹理";
    DropOther: "Atelier opens models (.gguf, .safetensors, .pth, .nam), pictures, WAV, and .md or .txt texts", "可打开模型（.gguf、.safetensors、.pth、.nam）、图片、WAV 以及 .md、.txt 文本";

    // Documents
    Chats: "Conversations", "对话";
    NewChat: "New conversation", "新对话";
    Untitled: "Untitled", "未命名";
    Word: "{0} word", "{0} 词";
    Words: "{0} words", "{0} 词";
    Characters: "{0} characters", "{0} 字";
    Messages: "{0} messages", "{0} 条消息";
    Now: "now", "刚刚";
    MinutesAgo: "{0} min ago", "{0} 分钟前";
    HoursAgo: "{0} h ago", "{0} 小时前";
    Yesterday: "yesterday", "昨天";
    DaysAgo: "{0} days ago", "{0} 天前";
    MonthsAgo: "{0} months ago", "{0} 个月前";
    Restore: "Undo", "撤销";

    // Why something cannot be done now
    FirstOpenModel: "Open a model first", "请先打开一个模型";
    FirstTypeMessage: "Type a message first", "请先输入消息";
    FirstWriteWords: "Write a few words first; the model goes on from them", "请先写几个词，模型会接着写";

    // The empty page
    EmptyHint: "Start writing, then press {0} and the model goes on from the cursor.", "先写个开头，再按 {0}，模型会从光标处接着写。";
    OrTry: "Or try one of these", "或者试试这些";
    ExampleTip: "Begin with these words and let the model go on", "以这段文字开头，让模型接着写";
    ExampleStory: "A story", "故事";
    ExampleStoryText: "On the last night of October the keeper climbed the stairs with a lamp in one hand and a letter in the other.", "十月的最后一夜，守塔人一手提灯，一手拿着信，走上了楼梯。";
    ExampleArticle: "An article", "文章";
    ExampleArticleText: "# Why small towns keep their libraries\n\nEvery Saturday morning, before the bakery opens, a line forms outside the library.", "# 小城为什么留住图书馆\n\n每个星期六的早晨，面包店还没开门，图书馆外已经排起了队。";
    ExampleList: "A plan", "计划";
    ExampleListText: "# A weekend in the mountains\n\nWhat we need to pack:\n\n1. A warm jacket\n2.", "# 山中周末\n\n要带的东西：\n\n1. 一件厚外套\n2.";
    EnglishOnly: "The model that comes with Atelier was made for English. For Chinese, open a GGUF model that knows Chinese, such as one of the Qwen family.", "自带的模型只擅长英文。要写中文，请打开会中文的 GGUF 模型，例如 Qwen 系列。";

    // The conversation
    ChatEmpty: "Ask something", "问点什么";
    ChatEmptyHint: "The model answers on this computer; nothing leaves it.", "模型在本机回答，内容不会离开这台电脑。";
    ChatExample1: "Explain how tides work to a ten-year-old.", "给十岁的孩子讲讲潮汐是怎么来的。";
    ChatExample2: "Give me five names for a small bakery.", "给一家小面包店起五个名字。";
    ChatExample3: "Write a polite reply that turns an invitation down.", "写一封婉拒邀请的回信。";
    ChatExampleTip: "Send this question", "发送这个问题";
    NoChatTemplate: "This model brings no chat template; it may answer oddly. The notebook suits it better.", "此模型没有对话模板，回答可能不正常，更适合在笔记中使用。";
    You: "You", "你";
    Message: "Message", "消息";
    MessageHint: "Write a message", "输入消息";
    SendMessage: "Send message", "发送消息";
    SystemPrompt: "Instructions", "系统提示词";
    SystemPromptTip: "What the model reads before the conversation: who it is, how it should answer", "对话开始前给模型的说明：它是谁、怎样回答";
    SystemPromptHint: "You are a careful editor. Answer briefly.", "你是一位细心的编辑，回答要简短。";
    EditMessage: "Edit message", "修改消息";
    EditMessageTip: "Say it in other words and have it answered again; the old answers stay", "修改后重新回答，原来的回答会保留";
    SaveAndSend: "Send again", "重新发送";
    AnswerAgain: "Answer again", "重新回答";
    AnswerAgainTip: "Another answer to the same message; this one stays", "换一个回答，当前的会保留";
    PreviousAnswerTip: "The version before; all that followed it comes along", "上一个版本，连同其后的内容";
    NextAnswerTip: "The next version; all that followed it comes along", "下一个版本，连同其后的内容";
    NumberOf: "{0}/{1}", "{0}/{1}";

    // The inspector
    WithSelection: "Do with the selection", "处理选中的文字";
    WithDocument: "Do with the document", "处理全文";
    TasksTip: "The result stands in the text as a variant and can be undone", "结果会作为变体写入文稿，可以撤销";
    OwnTasks: "Your own tasks", "自己的任务";
    EditTasks: "Edit tasks…", "编辑任务…";
    EditTasksTip: "Puts the tasks into a file that you can change: their names, their wording, more of them", "把任务存成可修改的文件：名称、措辞、增加新任务";
    ReadTasks: "Read tasks again", "重新读取任务";
    TasksAreAt: "The tasks are in {0}. Change them with any text editor, then choose “Read tasks again”.", "任务文件位于 {0}。用任意文本编辑器修改后，选择“重新读取任务”。";
    TasksRead: "{0} tasks were read.", "已读取 {0} 个任务。";
    CopyPath: "Copy the path of the file", "复制文件路径";
    TooLongForTask: "The text is too long to be written anew at once: the model could not read it and answer in full. Select a part of it.", "文字太长，模型无法一次读完并完整重写，请只选中一部分。";
    Brief: "Brief", "要求";
    BriefHint: "What it should be about, for whom, how long", "写什么、给谁看、多长";
    OwnWords: "In your own words", "自定义";
    OwnWordsHint: "such as: like a sea shanty", "例如：像一首船歌";
    Begin: "Begin", "开始";
    Character: "Character", "风格";
    Presets: "Presets", "预设";
    PresetsTip: "Your own presets: keep these settings under a name", "把当前设置存成自己的预设";
    YourPresets: "Your presets", "我的预设";
    NoPresets: "None yet. Give the settings a name to keep them.", "还没有。给当前设置起个名字即可保存。";
    PresetName: "Name of the preset", "预设名称";
    SavePreset: "Keep these settings", "保存当前设置";
    Precise: "Precise", "严谨";
    Balanced: "Balanced", "均衡";
    Wild: "Wild", "奔放";
    Temperature: "Temperature", "温度";
    TemperatureTip: "Low keeps to likely words, high dares more; 0 always takes the likeliest", "低则稳妥，高则大胆；0 表示总取最可能的词";
    TopP: "Top-p", "Top-p";
    TopPTip: "Choose among the likeliest words that together reach this probability; 1 is off", "只在累计概率达到该值的词中选择；1 表示关闭";
    MinP: "Min-p", "Min-p";
    MinPTip: "Drop words less likely than this fraction of the likeliest; 0 is off", "去掉概率低于最高者该比例的词；0 表示关闭";
    Length: "Length", "长度";
    LengthTip: "At most this many tokens; about three quarters as many words", "最多生成的词元数";
    Seed: "Seed", "种子";
    SeedTip: "The same seed, settings and text give the same words again", "种子、设置与文字都相同时，结果也相同";
    KeepSeed: "Keep the seed", "保留种子";
    SeedKept: "The seed stays the same", "种子保持不变";
    SeedChanges: "A new seed each time", "每次使用新种子";
    NewSeed: "New seed", "新种子";
    Advanced: "Repetition, stops, bias, filters", "重复、停止、偏置与过滤";
    Repetition: "Repetition", "重复";
    PenaltyWindow: "Look back", "回看";
    PenaltyWindowTip: "How many last tokens the three penalties look at; 0 is off, −1 all of them", "三种惩罚回看的词元数；0 关闭，−1 表示全部";
    RepeatPenalty: "Repeat", "重复惩罚";
    RepeatPenaltyTip: "Makes tokens that appeared less likely; 1 is off", "降低出现过的词元的概率；1 表示关闭";
    Frequency: "Frequency", "频率惩罚";
    FrequencyTip: "Less likely with every time a token appeared; 0 is off", "每出现一次就再降低一些；0 表示关闭";
    Presence: "Presence", "存在惩罚";
    PresenceTip: "Less likely once a token has appeared at all; 0 is off", "只要出现过就降低；0 表示关闭";
    Dry: "DRY", "DRY";
    DryTip: "Against repeating whole sequences; 0 is off", "避免整段重复；0 表示关闭";
    DryBase: "DRY base", "DRY 底数";
    DryBaseTip: "How fast the penalty grows with the length of the repeat", "惩罚随重复长度增长的快慢";
    DryLength: "DRY free length", "DRY 允许长度";
    DryLengthTip: "Repeats up to this many tokens are free", "不超过该长度的重复不受惩罚";
    DryWindow: "DRY look back", "DRY 回看";
    DryWindowTip: "How many last tokens DRY looks at; 0 is off, −1 all of them", "DRY 回看的词元数；0 关闭，−1 表示全部";
    DryBreakers: "DRY breakers", "DRY 分隔符";
    DryBreakersTip: "A repeat never goes on across one of these", "重复不会跨过这些字符计算";
    Filters: "Filters", "过滤";
    TopK: "Top-k", "Top-k";
    TopKTip: "Choose among this many likeliest words; 0 is off", "只在最可能的若干个词中选择；0 表示关闭";
    Typical: "Typical", "典型采样";
    TypicalTip: "Prefer words about as surprising as the text so far; 1 is off", "偏好意外程度适中的词；1 表示关闭";
    TopSigma: "Top-nσ", "Top-nσ";
    TopSigmaTip: "Keep words within this many standard deviations of the best; below 0 is off", "保留与最佳相差若干标准差以内的词；小于 0 表示关闭";
    XtcChance: "XTC chance", "XTC 概率";
    XtcThreshold: "XTC threshold", "XTC 阈值";
    XtcTip: "Now and then leaves the likeliest words out, for surprise; chance 0 is off", "偶尔跳过最可能的词，带来意外；概率 0 表示关闭";
    DynamicRange: "Dynamic range", "动态温度";
    DynamicTip: "Warmer where the model is unsure, cooler where it is sure; 0 is off", "模型犹豫时升温，笃定时降温；0 表示关闭";
    DynamicExponent: "Dynamic bend", "动态指数";
    DynamicExponentTip: "How the unsureness of the model becomes warmth; 1 is even", "模型的犹豫程度如何换算为温度；1 为线性";
    Mirostat: "Mirostat 2", "Mirostat 2";
    MirostatTip: "Keeps the surprise of the text near a target instead of filtering", "不再过滤，而是让意外程度保持在目标附近";
    MirostatTau: "Target τ", "目标 τ";
    MirostatEta: "Rate η", "速率 η";
    StopStrings: "Stop before", "遇到则停止";
    StopStringsTip: "The text ends before the first of these", "出现其中之一前结束";
    BannedPhrases: "Never write", "禁止出现";
    BannedPhrasesTip: "The model steps back and finds another way", "模型会退回去换一种写法";
    IgnoreEnd: "Never end by itself", "不自行结束";
    IgnoreEndTip: "The model goes on until the length is reached, also where it would end", "即使模型想结束，也一直写到长度上限";
    OneALine: "one a line", "每行一个";
    LogitBias: "Token bias", "词元偏置";
    LogitBiasTip: "token = number to add to its logit; token = never forbids it. Rest on one of the likeliest words to read its number", "词元编号 = 增加的 logit；词元编号 = never 表示禁止。把指针停在候选词上可看到编号";
    LogitBiasHint: "1234 = -2.5", "1234 = -2.5";
    SumTopK: "top-k {0}", "top-k {0}";
    SumTypical: "typical {0}", "典型采样 {0}";
    SumSigma: "{0} σ", "{0} σ";
    SumXtc: "XTC {0}", "XTC {0}";
    SumDry: "DRY {0}", "DRY {0}";
    SumMirostat: "Mirostat 2 τ {0}", "Mirostat 2 τ {0}";
    SumGreedy: "always the likeliest word", "总取最可能的词";
    SumRepeats: "repetition ×{0}", "重复 ×{0}";
    SumStops: "{0} stop", "停止 {0} 项";
    SumBans: "{0} never written", "禁止 {0} 项";
    SumBiases: "{0} biased", "偏置 {0} 项";
    SumNothing: "nothing else is on", "其余均未启用";
    ContextOf: "Context · {0} of {1} tokens", "上下文 · {0} / {1} 词元";
    ContextTip: "What the model reads at once; the oldest part is left out when it does not fit", "模型一次能读的内容；放不下时最早的部分会被略去";
    Instructions: "instructions", "说明";
    YourText: "your text", "你的文字";
    Generated: "generated", "生成";
    ReadFromHere: "The model reads from here", "模型从这里读起";
    NothingLeftOut: "nothing left out", "没有略去内容";
    CharactersLeftOut: "the first {0} characters are left out", "最前面的 {0} 个字符被略去";
    BeginningLeftOut: "the beginning of the text is left out", "文字的开头被略去";
    MessagesLeftOut: "the first {0} messages are left out", "最早的 {0} 条消息被略去";
    Variants: "Variants", "变体";
    VariantNumber: "Variant {0}: {1}", "变体 {0}：{1}";
    EarlierVersions: "Earlier versions · {0}", "早先的版本 · {0}";
    EarlierNumber: "Earlier version {0}: {1}", "早先的版本 {0}：{1}";
    EarlierTip: "What the model wrote before the text was taken back and went another way; undo returns here", "撤销并改写之前模型所写的内容；撤销即可回到现在";
    Chosen: "chosen", "当前";
    Compare: "Compare", "对比";
    CompareTip: "Show the variants side by side", "并排显示各个变体";

    // Models
    ModelsIntro: "Everything runs on this computer. GGUF files of the llama, qwen2, qwen3 and gemma3 families open here, and GANs and upscalers as safetensors or PyTorch checkpoints: by the button or by dropping them on the window.", "一切都在本机运行。llama、qwen2、qwen3、gemma3 系列的 GGUF 文件，以及 safetensors 或 PyTorch 格式的 GAN 与放大模型都可以打开：点击按钮，或拖到窗口上。";
    ModelsHint: "Memory is what the weights and the usual context take together.", "内存指权重与默认上下文合计占用。";
    ModelsChinese: "SmolLM2, which comes with Atelier, was made for English. To write Chinese, open a model of the Qwen or Gemma family.", "自带的 SmolLM2 只擅长英文；要写中文，请打开 Qwen 或 Gemma 系列的模型。";
    LookingForModels: "Looking for models…", "正在查找模型…";
    InUse: "in use", "使用中";
    UseModel: "Use", "使用";
    UseModelTip: "Write with this model from now on", "从现在起使用这个模型";
    ForgetModel: "Take off the list", "移出列表";
    ForgetModelTip: "Takes the model off this list; its file stays", "仅从列表移除，不删除文件";
    Size: "File", "文件";
    Memory: "Memory", "内存";
    Weights: "{0} weights", "{0} 参数";
    NoLicence: "no licence stated", "未声明许可证";
    ComesWithAtelier: "Comes with Atelier · {0}", "随 Atelier 提供 · {0}";

    // Settings
    LookAndLanguage: "Look and language", "外观与语言";
    Language: "Language", "语言";
    Automatic: "Automatic", "自动";
    Theme: "Theme", "主题";
    AsSystem: "System", "跟随系统";
    Light: "Light", "浅色";
    Dark: "Dark", "深色";
    InterfaceSize: "Size of the interface", "界面大小";
    ContextSize: "Context", "上下文";
    ContextSizeTip: "How much text the model reads at once. More takes more memory; automatic uses up to 8,192 tokens.", "模型一次读多少文字。越大越占内存，自动时最多 8,192 词元。";
    Threads: "Threads", "线程";
    ThreadsTip: "How many processors models may use, from the next start on.", "模型可用的处理器数量，下次启动时生效。";
    AutosaveFacts: "Everything you write is saved by itself about a second later, here:", "写下的内容约一秒后自动保存在：";
    CopyFolder: "Copy the folder's name", "复制文件夹路径";
    LibraryFolder: "Another folder", "其他文件夹";
    LibraryFolderTip: "A whole path, from the next start on. What was written so far stays in the folder above.", "填写完整路径，下次启动时生效。已写的内容仍在上面的文件夹中。";
    About: "About", "关于";
    Version: "Atelier {0}", "Atelier {0}";
    AboutText: "A studio for writing with models on your own computer. MIT or Apache-2.0. The faces, the icons and the model that come with it have licences of their own.", "在自己的电脑上用模型写作的工作室。以 MIT 或 Apache-2.0 许可。自带的字体、图标与模型各有其许可证。";
    LicenceOf: "Licence of {0}", "{0} 的许可证";

    // Paint
    FirstOpenPaint: "No model that draws is here", "没有绘画模型";
    DrawTip: "Draw the next pictures; all of them are kept in your library", "绘制下一批图片，全部保存在资料库中";
    PaintEmpty: "Nothing is drawn yet", "还没有图片";
    PaintEmptyHow: "Generate draws a first sheet. Choose a picture in it to vary it, steer it, or mix it with another.", "点击“生成”绘制第一批；选中一张即可变化、调整，或与另一张混合。";
    Drawing: "Drawing", "正在绘制";
    DrawingOf: "Drawing {0} of {1}", "正在绘制 {0} / {1}";
    ImagesPerSecond: "{0} images/s", "{0} 张/秒";
    AllPictures: "All  {0}", "全部  {0}";
    AllPicturesTip: "Everything that was drawn, the newest first", "全部图片，新的在前";
    Starred: "Starred  {0}", "已标星  {0}";
    StarredTip: "Only pictures with a star", "只看标星的图片";
    NoneStarred: "No picture has a star yet: choose one and press the star under it.", "还没有标星的图片：选中一张，点击下方的星标。";
    MixHow: "Ctrl+click mixes a second picture in, Shift+click chooses several", "按住 Ctrl 点击混入第二张，按住 Shift 点击选中多张";
    MixAndCarryHow: "Ctrl+click mixes a second picture in, Shift+click chooses several, a drag carries them to another program", "按住 Ctrl 点击混入第二张，按住 Shift 点击选中多张，可直接拖到其他程序";
    SearchPictures: "Search pictures", "搜索图片";
    SearchPicturesHint: "Search: blue, #tag", "搜索：蓝、#标签";
    SearchPicturesTip: "Model, class, tag, seed or file name, in English or Chinese; # for what a tag begins with  (Ctrl F)", "按模型、类别、标签、种子或文件名搜索，中英文皆可；# 后接标签开头  (Ctrl F)";
    FoundOf: "{0} of {1}", "{0} / {1}";
    NoneFound: "No picture is like that.", "没有符合条件的图片。";
    ShowAll: "Show all", "显示全部";
    OrderAndFilter: "Order and filter", "排序与筛选";
    OrderAndFilterTip: "In what order pictures are shown, and which", "图片的排列顺序与筛选条件";
    Order: "Order", "排序";
    Newest: "Newest", "最新";
    Oldest: "Oldest", "最早";
    BestRated: "Best rated", "评分最高";
    RatedAtLeast: "Rated at least", "评分不低于";
    AnyRating: "Any", "不限";
    AnyModel: "Any model", "所有模型";
    ChooseSeveral: "Choose several", "选择多张";
    ChooseSeveralTip: "Every click chooses one more picture, or leaves it out; Shift+click chooses a row of them, Ctrl+A all", "每次点击增选或取消一张；Shift 点击选中一段，Ctrl+A 全选";
    PicturesChosen: "{0} pictures chosen", "已选中 {0} 张图片";
    PicturesChosenHow: "What is done here is done with all of them.", "以下操作对全部选中的图片生效。";
    ChooseNone: "Choose none", "取消选择";
    PicturesAre: "{0} pictures", "{0} 张图片";
    ExportShown: "Export", "导出";
    ExportShownTip: "Save everything that is shown: as a labelled data set, or as one sheet", "导出当前显示的全部图片：带标签的数据集或一张拼图";
    ExportDataSet: "Data set…", "数据集…";
    ExportDataSetTip: "A folder for each class, the pictures with their recipes, and a manifest as JSON and CSV", "每个类别一个文件夹，图片含配方，并附 JSON 与 CSV 清单";
    ExportSheet: "Grid sheet…", "拼图…";
    ExportSheetTip: "One PNG with the pictures side by side", "把图片并排放进一张 PNG";
    ExportingOf: "Exporting {0} of {1}", "正在导出 {0} / {1}";
    ReadingPictures: "Reading pictures, {0} of {1}", "正在读取图片 {0} / {1}";
    DataSet: "Data set", "数据集";
    Sheet: "Sheet", "拼图";
    PictureComing: "The picture is still being read; try again in a moment.", "图片正在读取，请稍后再试。";
    Rating: "Rating", "评分";
    RatingIs: "Rate {0} of {1}", "评为 {0} / {1}";
    AddTag: "Add a tag", "添加标签";
    AddTagHint: "Tag, then Enter", "输入标签后按回车";
    AddTagTip: "A word of your own to find the picture by", "用自己的词标记图片，便于查找";
    AddThisTag: "Add the tag {0}", "添加标签 {0}";
    TakeTagOff: "Take the tag {0} off", "移除标签 {0}";
    KeyRate: "Rate the chosen pictures", "为选中的图片评分";
    KeySearchPictures: "Search pictures", "搜索图片";
    KeyChooseRange: "Choose several pictures", "选中多张图片";
    KeyMix: "Mix a second picture in", "混入第二张图片";
    Bin: "Bin", "回收站";
    BinTip: "What was deleted: look at it, bring it back, or remove it for good", "已删除的图片：可查看、恢复或彻底删除";
    BinIs: "What was deleted; it stays here until you empty the bin.", "已删除的图片；清空回收站之前都留在这里。";
    BinEmpty: "The bin is empty", "回收站是空的";
    BinEmptyHow: "Pictures that you delete come here, and can be brought back.", "删除的图片会放到这里，可以恢复。";
    BackToGallery: "Back to the gallery", "返回图库";
    AllBack: "Bring all back", "全部恢复";
    AllBackTip: "Bring every picture back to the gallery", "把所有图片恢复到图库";
    EmptyBin: "Empty the bin", "清空回收站";
    EmptyBinTip: "Remove all these pictures from the disk; they cannot be brought back", "从磁盘删除所有这些图片，之后无法恢复";
    DestroyAll: "Remove {0} pictures for good", "彻底删除 {0} 张图片";
    Destroy: "Remove for good", "彻底删除";
    DestroyTip: "Remove it from the disk; it cannot be brought back", "从磁盘删除，之后无法恢复";
    KeyUnbin: "In the bin: bring back", "回收站中：恢复";
    PicturesBack: "Brought back: {0}.", "已恢复：{0} 张。";
    PicturesDestroyed: "Removed for good: {0}.", "已彻底删除：{0} 张。";
    KeyLarge: "See the picture large", "放大查看图片";
    KeyStepPictures: "Large: the next picture", "放大时：下一张";
    KeyCloser: "Large: closer, further", "放大时：拉近、拉远";
    KeyStar: "Give the picture a star", "为图片标星";
    KeyVary: "Draw pictures near it, or far", "绘制近似或变化的图片";
    KeyKeep: "Keep what the sliders made", "保留滑块调出的图片";
    KeyCopy: "Copy the picture", "复制图片";
    LargeTip: "See it as large as the page  (Enter, or a double click)", "以整页大小查看（回车键或双击）";
    BackToGalleryTip: "Back to the gallery  (Esc)", "返回图库（Esc）";
    NextPicture: "The next picture  (→)", "下一张（→）";
    PreviousPicture: "The picture before  (←)", "上一张（←）";
    WholePicture: "Fit", "适合";
    WholePictureTip: "All of the picture", "显示整张图片";
    PixelForPixelTip: "A pixel of the picture for each of the screen  (double click)", "图片一像素对应屏幕一像素（双击）";
    CloseIs: "{0} %", "{0} %";
    UseSettings: "Use its settings", "使用其设置";
    UseSettingsTip: "Use its settings: set model, class, truncation, size and seed as this picture has them", "使用其设置：按此图设定模型、类别、截断、尺寸与种子";
    SettingsUsed: "Model, class, truncation, size and seed are those of the picture now; Generate draws it first.", "模型、类别、截断、尺寸与种子已设为此图的；点击“生成”将首先绘出它。";
    SettingsUsedButSeed: "Model, class, truncation and size are those of the picture now; its seed is none that the slider has, so the next ones are others.", "模型、类别、截断与尺寸已设为此图的；它的种子不在滑块范围内，之后绘出的是别的图。";
    ModelNotHere: "The model that drew this, {0}, is not here; open its file on the Models page.", "绘制此图的模型 {0} 不在本机；请在“模型”页打开其文件。";
    PictureOf: "Picture, seed {0}", "图片，种子 {0}";
    SeedIs: "Seed {0}", "种子 {0}";
    SeedsAre: "{0} seeds mixed", "{0} 个种子混合";
    Near: "Near", "近似";
    NearTip: "Draw twelve pictures a little different from this one", "绘制十二张与此略有不同的图片";
    Far: "Far", "变化";
    FarTip: "Draw twelve pictures that only resemble this one", "绘制十二张仅与此相似的图片";
    KeepPicture: "Keep", "保留";
    KeepPictureTip: "Keep what the sliders made as a picture of its own", "把滑块调出的结果存为新图片";
    Enlarge: "Enlarge", "放大";
    EnlargeTip: "Make a larger picture with a restoring network, and keep it beside this one", "用修复网络把图片放大，另存为新图片";
    EnlargedAlready: "It is enlarged already", "已放大过";
    Enlarging: "Enlarging, {0} %", "正在放大 {0} %";
    BeforeAfterTip: "Drag to see how it was before it was enlarged", "拖动以对比放大前后";
    PaintWords: "What to draw", "画什么";
    PaintWordsHint: "Say it: four blue eyes, wild", "说出来：四只蓝眼睛，大胆";
    WordsModel: "Model: {0}", "模型：{0}";
    WordsClass: "Class: {0}", "类别：{0}";
    WordsCount: "Count: {0}", "数量：{0}";
    WordsDirection: "Direction: {0}", "方向：{0}";
    WordsTruncation: "Truncation: {0}", "截断：{0}";
    WordsUnknown: "Not understood: {0}", "未能理解：{0}";
    Gallery: "Gallery", "图库";
    GalleryTip: "Everything that was drawn", "全部图片";
    SeedMap: "Seed map", "种子图";
    SeedMapTip: "Drag through what lies between four pictures", "在四张图片之间拖动探索";
    SeedMapHow: "Drag over the map, or move with the arrow keys: the picture at that place is drawn as you go.", "在图上拖动或用方向键移动，所到之处的图片即时绘出。";
    Corners: "Corners", "四角";
    NewCorners: "New corners", "更换四角";
    NewCornersTip: "Put four new pictures in the corners; choose one in the gallery first to start from it", "换四张新图片；若想从某张图片出发，请先在图库中选中它";
    Path: "Path", "路径";
    PathTip: "A film that goes from picture to picture", "从一张图片渐变到另一张的动画";
    PathEmpty: "The path has no pictures yet", "路径中还没有图片";
    PathEmptyHow: "Choose a picture in the gallery and press + below it, or begin with four pictures at random.", "在图库中选中图片并点击下方的 +，或先随机放入四张。";
    Teach: "Teach", "教学";
    TeachTip: "Teach a network textures from your own photographs", "用您自己的照片教网络画纹理";
    TeachTextures: "Textures from photographs", "从照片学纹理";
    TeachHow: "A small network learns what a photograph of stone, cloth, bark or grass looks like, and then draws as much of it as you like, without a seam. Nothing leaves this computer.", "小网络学会石头、布料、树皮或草地的照片是什么样子，之后可绘出任意大小、无接缝的纹理。照片不会离开本机。";
    TeachEmpty: "Teach textures from your own photographs", "用您自己的照片教纹理";
    TeachEmptyHow: "Drop one to eight photographs here, or add them at the right; each becomes a texture. A texture takes a minute or two.", "将一至八张照片拖到这里，或在右侧添加；每张成为一种纹理，约需一两分钟。";
    Photographs: "Photographs", "照片";
    AddPhotograph: "Add a photograph…", "添加照片…";
    AddPhotographTip: "A picture of one material, evenly lit, at least 128 pixels wide and high", "同一种材质、光线均匀的图片，长宽至少 128 像素";
    PhotographsFull: "As many photographs as can be taught together", "照片数量已达一次教学的上限";
    TakeOutNamed: "Take out “{0}”", "移除“{0}”";
    TextureName: "Name of the texture", "纹理名称";
    ModelName: "Name of the model", "模型名称";
    Structure: "Structure", "结构";
    StructureFine: "Fine", "细";
    StructureMedium: "Medium", "中";
    StructureCoarse: "Coarse", "粗";
    StructureTip: "Choose coarse where stones or leaves fill a tenth of the photograph or more", "石块或叶片占照片十分之一以上时，请选“粗”";
    HowLong: "How long", "时长";
    TeachQuick: "Quick", "快速";
    TeachThorough: "Thorough", "精细";
    TeachQuickTip: "A minute or two for one photograph", "一张照片约需一两分钟";
    TeachThoroughTip: "About four times as long, with finer detail", "约四倍时间，细节更好";
    TeachSteps: "{0} steps; it can be ended earlier, and what was learnt is kept.", "共 {0} 步；可提前结束，所学会保留。";
    DrawnSoFar: "What it draws now", "目前所绘";
    DistanceCurve: "Distance from the photographs", "与照片的差距";
    ReadingPhotographs: "Reading the photographs…", "正在读取照片…";
    TeachingStep: "Learning: step {0} of {1}", "学习中：第 {0} 步，共 {1} 步";
    FinishTeaching: "Finish now", "现在结束";
    FinishTeachingTip: "Keep what was learnt so far as a model", "将目前所学保留为模型";
    DiscardTeaching: "Discard", "放弃";
    DiscardTeachingTip: "End, and keep nothing of it", "结束且不保留所学";
    TeachingDone: "“{0}” has learnt its textures; Generate draws them in any size.", "“{0}”已学会纹理；点击“生成”即可绘出任意大小。";
    TeachBusy: "A network is learning just now; wait, or finish it first.", "网络正在学习，请稍候或先结束。";
    TeachNoPlace: "There is no library folder to keep the model in; choose one in Settings.", "没有可存放模型的资料库文件夹，请在设置中选择。";
    Tiled: "Side by side", "平铺";
    TiledTip: "Show it twice each way, to see that it has no seam", "横竖各排两份，查看是否无缝";
    AddToPath: "Add to the path", "加入路径";
    AddToPathTip: "Put this picture at the end of the path", "把这张图片放到路径末尾";
    AddedToPath: "The picture is at the end of the path, number {0}.", "图片已加入路径末尾，第 {0} 张。";
    PathIsFull: "The path has {0} pictures, as many as it can; take one out first.", "路径已有 {0} 张图片，达到上限，请先移除一张。";
    RandomStops: "Four at random", "随机四张";
    StopNumber: "Picture {0} of the path", "路径第 {0} 张";
    TakeOut: "Take out", "移出";
    TakeOutNumber: "Take picture {0} out", "移出第 {0} 张";
    Film: "Film", "动画";
    FilmPlace: "Place in the film", "动画位置";
    Steps: "Steps", "步数";
    StepsTip: "Pictures from one stop to the next", "相邻两张之间的图片数";
    Rate: "Pictures/s", "每秒张数";
    RateTip: "How many pictures are shown a second", "每秒显示多少张图片";
    GoesRound: "Back to the first", "回到第一张";
    FilmIs: "{0} pictures · {1} s", "{0} 张图片 · {1} 秒";
    Pause: "Pause", "暂停";
    SaveFilm: "Save film", "保存动画";
    SaveFilmTip: "Draw the film and save it where you want", "绘制动画并保存到指定位置";
    FilmApng: "APNG, every colour", "APNG（全彩）";
    FilmGif: "GIF, for anywhere", "GIF（通用）";
    FilmFrames: "Folder of PNG pictures", "PNG 图片文件夹";
    FileSavedAs: "Saved as {0}.", "已保存为 {0}。";
    NoUpscaler: "No model that enlarges pictures is here; install the studio again, or open one on the Models page.", "没有可用的放大模型；请重新安装，或在“模型”页打开一个。";
    EnlargesPictures: "{0} enlarges pictures; it stands in the menu of Enlarge on the Paint page.", "{0} 用于放大图片，可在“绘画”页的“放大”菜单中选用。";
    Star: "Star", "标星";
    Unstar: "Take the star away", "取消星标";
    SavePicture: "Save as…", "另存为…";
    SavePictureTip: "Save the picture where you want: PNG with its recipe inside, WebP, JPEG, or SVG outlines", "把图片保存到指定位置：PNG（含配方）、WebP、JPEG 或 SVG 轮廓";
    CopyPicture: "Copy", "复制";
    CopyPictureTip: "Copy the picture to the clipboard", "复制图片到剪贴板";
    BinPicture: "Delete", "删除";
    BinPictureTip: "Move the picture to the bin in its folder", "移到图片文件夹中的回收站";
    PicturesBinned: "{0} pictures were moved to the bin.", "{0} 张图片已移到回收站。";
    PictureBinned: "The picture was moved to the bin.", "图片已移到回收站。";
    PictureSavedAs: "The picture was saved as {0}.", "图片已保存为 {0}。";
    NoPictureToSave: "Choose a picture first.", "请先选中一张图片。";
    Picture: "Picture", "图片";
    OtherModelPainted: "Another model drew this; “Use its settings” above opens it, so that it can be varied.", "此图由其他模型绘制；点击上方“使用其设置”可打开该模型，之后才能变化。";
    Directions: "Directions", "方向";
    DirectionNumber: "Direction {0}", "方向 {0}";
    DirectionTip: "A step along one of the ways in which this model's pictures differ most; double-click for none. Click the name to give it one of your own, which the line of words then knows", "沿该模型图片差异最大的方向之一移动；双击归零。点按名称可自行命名，文字栏便会认得";
    DirectionName: "Name of direction {0}", "方向 {0} 的名称";
    Mix: "Mix", "混合";
    MixTip: "How much of the second picture", "第二张图片所占的比例";
    MixLayers: "Layers", "层";
    MixLayersTip: "Where the second picture is mixed in, from the smallest layer, which is coarse shape, to the largest, which is colour and detail. With all of them the two are mixed as a whole; with some, the first keeps its shape and takes the second's look there", "在哪些层混入第二张图片：最小的层决定大致形状，最大的层决定颜色与细节。全选时两图整体混合；只选一部分时，第一张保持形状，并在这些层取第二张的风格";
    MixLayer: "Layer of {0} × {0} pixels", "{0} × {0} 像素的层";
    NextPictures: "Next pictures", "下一批";
    Class: "Class", "类别";
    ClassTip: "What kind of picture is drawn", "绘制哪一类图片";
    AnyClass: "Any", "任意";
    Count: "Count", "数量";
    CountTip: "How many pictures are drawn at a time", "一次绘制多少张";
    Truncation: "Truncation", "截断";
    PictureWidth: "Width", "宽度";
    PictureHeight: "Height", "高度";
    PictureSizeTip: "In pixels; textures join themselves at the edges at any size", "以像素计；任何尺寸的纹理都能首尾相接";
    TruncationTip: "How far from the average picture: low is safe, high is wild", "与平均图片的距离：低则稳妥，高则大胆";
    PaintSeedTip: "The seed of the next picture; it moves on with every sheet", "下一张的种子；每绘制一批后自动前移";
    PaintModelTip: "The network that draws", "绘画所用的网络";
    BackFromBin: "Bring back", "恢复";
    BackFromBinTip: "Bring it back to the gallery (U)", "恢复到图库（U）";

    // Sound
    Compose: "Compose", "作曲";
    SoundWords: "What to play", "演奏什么";
    SoundWordsHint: "a sad cello in D minor, 8 bars", "忧郁的大提琴，D小调，8小节";
    SoundWordsHow: "Instrument, mood, key, tempo and length in words; Enter writes notes by fixed rules and plays them.", "用文字说明乐器、情绪、调、速度和长度；按回车即按固定规则写出音符并演奏。";
    BeatsAMinute: "{0} beats/min", "每分钟 {0} 拍";
    InKey: "in {0}", "{0} 调";
    BarsAre: "{0} bars", "{0} 小节";
    SecondsAre: "{0} s", "{0} 秒";
    FirstOpenSound: "No model that makes sound is here", "没有声音模型";
    TypeNotes: "Type some notes first", "请先输入音符";
    OutOfRange: "The instrument has no {0}; it plays {1} to {2}", "该乐器没有 {0}，音域为 {1} 到 {2}";
    MakeSoundTip: "Play the notes; you hear them while they are computed", "演奏音符，边计算边播放";
    SoundEmpty: "Play a key", "按一个琴键";
    SoundEmptyHow: "with the mouse, or with A W S E D … on your keyboard. Or let the network play the notes at the right.", "用鼠标，或用键盘上的 A W S E D …；也可以让网络演奏右侧的音符。";
    PlayTake: "Play", "播放";
    PlayTakeTip: "Hear the take from the line on, or stop  (Space)", "从竖线处播放，或停止（空格键）";
    LoopTake: "Loop", "循环";
    LoopTakeTip: "Go round in the selection, or in all of the take  (L)", "在所选范围或整段中循环播放（L）";
    RecordTake: "Record", "录音";
    RecordTakeTip: "Record a new take from the input chosen at the right, or stop  (R)", "从右侧所选的输入设备录制新的一段，或停止（R）";
    SelectedSeconds: "{0} s selected", "已选 {0} 秒";
    InputLevel: "Input level {0} dB", "输入电平 {0} dB";
    CompareTakesTip: "Hear one take or the other at the same place  (B)", "在同一位置切换收听两段录音（B）";
    EditTake: "Edit", "编辑";
    EditTakeTip: "Trim, cut, fade and level the take; the one it was made from stays as it is", "裁剪、删除、淡入淡出、调整音量；原录音保持不变";
    TrimTake: "Trim to selection", "裁剪到所选";
    TrimTakeTip: "Keep only what is selected; drag over the waveform to select", "只保留所选部分；在波形上拖动即可选择";
    CutTake: "Delete selection", "删除所选";
    CutTakeTip: "Take out what is selected; drag over the waveform to select", "删去所选部分；在波形上拖动即可选择";
    FadeInTake: "Fade in", "淡入";
    FadeOutTake: "Fade out", "淡出";
    FadeTakeTip: "Within the selection; without one up to the line, or from the line on", "作用于所选范围；未选择时，淡入到竖线处，或从竖线处淡出";
    ContinueTake: "Go on from here", "从这里续奏";
    ContinueTakeTip: "The network takes what sounds before the end, or the end of the selection, for its own past and goes on with its last note", "网络把结尾（或选区结尾）之前的声音当作自己的过去，并以最后一个音继续演奏";
    KeyContinueTake: "Go on where a take ends", "从录音结尾续奏";
    NormaliseTake: "Normalise to −1 dB", "标准化到 −1 dB";
    NormaliseTakeTip: "As loud as it can be without being cut off", "在不削波的前提下尽可能响";
    GainTake: "Gain (dB)", "增益 (dB)";
    GainTakeTip: "Louder or quieter, in the selection or in all of the take", "调整所选范围或整段的音量";
    ApplyGain: "Apply", "应用";
    Takes: "Takes", "录音列表";
    ToggleTakesTip: "Show or hide the list of takes", "显示或隐藏录音列表";
    OpenSound: "Open a sound", "打开声音";
    OpenSoundTip: "Open a WAV, FLAC, Ogg Vorbis or MP3 file as a take", "将 WAV、FLAC、Ogg Vorbis 或 MP3 文件作为录音打开";
    OnlyStarredTakes: "Only starred takes", "只看加星标的录音";
    NoTakes: "What you play or record is kept here.", "演奏和录制的声音保存在这里。";
    NoStarredTakes: "No take has a star.", "没有加星标的录音。";
    TakeTip: "Show this take; a double click gives it a name, a right click shows more", "显示此录音；双击可命名，右键可查看更多";
    TakeMade: "Played", "演奏";
    TakeRecorded: "Recorded", "录制";
    TakeOpened: "Opened", "打开的声音";
    TakeChanged: "{0}, edited", "{0}（已编辑）";
    StarTake: "Give a star", "加星标";
    RenameTake: "Name", "命名";
    CompareWith: "Compare with this (B)", "与此录音比较 (B)";
    CompareNoMore: "Compare no more", "不再比较";
    TakeBinned: "The take was moved to the bin.", "录音已移到回收站。";
    ChangingTake: "Working on the take", "正在处理录音";
    ChangingTakeOf: "Running the take through the amplifier: {0} %", "录音正在通过放大器：{0}%";
    Ruler: "Time", "时间";
    RulerTip: "The wheel zooms, a drag moves, a double click shows all", "滚轮缩放，拖动平移，双击显示全部";
    SightBar: "What is in sight", "可见范围";
    SightBarTip: "Drag to move what is in sight", "拖动以移动可见范围";
    Amp: "Amplifier", "放大器";
    Capture: "Capture", "模型";
    OpenCapture: "Open a capture…", "打开放大器模型…";
    OpenCaptureTip: "Choose a .nam file of NeuralAmpModeler, or drop it on the window", "选择 NeuralAmpModeler 的 .nam 文件，或将其拖到窗口上";
    AmpHow: "A capture is a network that sounds like an amplifier or pedal. Run a take through it, or play through it live.", "放大器模型是一个听起来像真实放大器或效果器的网络；可让录音通过它，也可现场演奏。";
    InputGain: "Input (dB)", "输入 (dB)";
    InputGainTip: "How hard the amplifier is driven", "驱动放大器的强度";
    OutputGain: "Output (dB)", "输出 (dB)";
    OutputGainTip: "How loud what comes out of it is", "放大器输出的音量";
    NormaliseAmp: "Same loudness", "统一响度";
    NormaliseAmpTip: "Bring every capture to −18 dB", "将各模型的响度统一为 −18 dB";
    NoLoudness: "This capture does not tell how loud it is", "此模型未注明响度";
    RunAmp: "Run the take", "处理录音";
    RunAmpTip: "A new take: this one through the amplifier", "生成新的录音：当前录音通过放大器后的声音";
    LiveAmp: "Play live", "现场演奏";
    LiveAmpTip: "Hear the input through the amplifier; use headphones so that it does not howl", "实时收听输入设备通过放大器的声音；请用耳机以免啸叫";
    AmpFacts: "{0} ms · {1} gaps · {2} losses", "{0} 毫秒 · {1} 次断音 · {2} 次丢失";
    AmpFactsTip: "The time from the input to the output, gaps in what you heard, and sound from the input that was lost", "从输入到输出的时间、播放中的断音次数、输入声音的丢失次数";
    Input: "Input", "输入";
    InputDevice: "Input", "输入设备";
    InputDeviceTip: "Where sound is recorded from", "录音所用的设备";
    Recording: "Recording", "录音";
    Controller: "MIDI", "MIDI";
    ControllerTip: "A keyboard that plays the network, with its velocity and its pedal", "用 MIDI 键盘演奏网络，支持力度和延音踏板";
    NoController: "None", "无";
    NoMidi: "No MIDI device is connected.", "未连接 MIDI 设备。";
    RecordingTake: "Recording", "正在录音";
    AmpLive: "Playing through the amplifier", "正在通过放大器演奏";
    DropSound: "Open as a take on the Sound page", "作为录音在声音页打开";
    DropCapture: "Use as the amplifier on the Sound page", "用作声音页的放大器";
    CaptureReady: "The amplifier is now “{0}”.", "放大器已换为“{0}”。";
    KeyLoop: "Loop", "循环";
    KeyRecord: "Record, or stop", "录音或停止";
    KeySwitchTakes: "Hear the other take", "切换录音";
    KeyZoomTake: "Closer, further away, all, selection", "放大、缩小、全部、所选";
    KeyMoveTake: "A second back, forth", "后退、前进一秒";
    Spectrum: "Spectrum", "频谱";
    SpectrumTip: "Level over frequency, in octaves, of what is selected, or of the quarter of a second around the line: {0} s. Peaks are named as notes", "所选部分（或竖线附近四分之一秒）的频谱，横轴以八度计：{0} 秒。峰值以音名标出";
    ShowSpectrumTip: "Show the spectrum of the selection instead of the spectrogram  (P)", "以所选部分的频谱代替频谱图（P）";
    KeySpectrum: "Spectrum, spectrogram", "频谱、频谱图";
    SaveTake: "Save", "保存";
    SaveTakeTip: "Save as a file with its recipe inside; the keys save as what was chosen last", "保存为文件，配方在文件内；快捷键按上次所选格式保存";
    Wav16: "WAV, 16 bits", "WAV，16 位";
    Wav24: "WAV, 24 bits", "WAV，24 位";
    Wav32: "WAV, 32-bit floats", "WAV，32 位浮点";
    Flac16: "FLAC, 16 bits", "FLAC，16 位";
    Flac24: "FLAC, 24 bits", "FLAC，24 位";
    Variations: "Variations", "变体";
    VariationsTip: "Takes that Generate makes one after the other, each with the next seed; they stand in the list, to be compared", "“生成”依次制作的段数，每段使用下一个种子；在列表中可相互对比";
    TakeNumberOf: "{0} of {1}", "{0} / {1}";
    Take: "Take", "录音";
    SoundSavedAs: "The sound was saved as {0}, with its recipe inside.", "声音已保存为 {0}，配方在文件内。";
    NothingToSave: "There is no sound to save yet; play something first.", "还没有可保存的声音，请先演奏。";
    KeyboardName: "Piano keyboard", "琴键";
    KeyboardTip: "Hold a key to play it; Z and X move your keyboard by an octave", "按住琴键演奏；Z 和 X 将键盘移动一个八度";
    PianoRoll: "The notes of this take", "这段录音的音符";
    Waveform: "Waveform", "波形";
    WaveformTip: "Click to move the line, drag to select; the wheel zooms, Shift and the wheel move, a double click shows all", "点击移动竖线，拖动选择；滚轮缩放，Shift 加滚轮平移，双击显示全部";
    Spectrogram: "Spectrogram", "频谱图";
    SpectrogramTip: "Frequency upwards in octaves from 55 Hz; the pointer does what it does on the waveform", "纵轴为频率，自 55 Hz 起按八度上升；操作与波形相同";
    Notes: "Notes", "音符";
    NotesHint: "C4:0.5 E4:0.5 G4:1", "C4:0.5 E4:0.5 G4:1";
    NotesBack: "Bring back my notes", "恢复我的音符";
    NotesBackTip: "The notes that you typed, before these were composed in their place", "作曲之前您键入的音符";
    NotesHow: "A name and seconds; C4+E4+G4 for a chord, R for a rest, @110 for louder.", "音名和秒数；和弦如 C4+E4+G4，R 为休止，@110 更响。";
    Voice: "Voice", "音色";
    Instrument: "Instrument", "乐器";
    InstrumentTip: "What the network plays, also while you hold a key", "网络演奏的乐器，演奏中也可更换";
    Velocity: "Velocity", "力度";
    VelocityTip: "How hard keys are struck: louder and brighter", "击键的力度：更响、更亮";
    SoundTemperatureTip: "How much unlikely values count: low keeps to the likeliest, 1 is as the network learnt", "不太可能的取值占多大分量：低则只取最可能的，1 为网络所学";
    Noise: "Noise", "噪声";
    NoiseTip: "How far each sample strays from what the network expects: low is clean, high is airy", "每个采样偏离网络预期的程度：低则干净，高则多气声";
    SoundSeedTip: "The same notes with the same seed give the same sound", "相同的音符和种子得到相同的声音";
    Output: "Output", "输出";
    Device: "Device", "设备";
    DeviceTip: "Where the sound is played", "播放声音的设备";
    SystemOutput: "The system's", "系统默认";
    Volume: "Volume (dB)", "音量 (dB)";
    VolumeTip: "What you hear; files keep their level", "只影响播放，不影响文件";
    SoundFacts: "Underruns {0}", "断音 {0} 次";
    SoundFactsFirst: "Underruns {0} · first sound {1} ms", "断音 {0} 次 · 首声 {1} 毫秒";
    SoundFactsTip: "Gaps in what you heard, and the time from a key or click to the first sound", "播放中的断音次数，以及从按键到发声的时间";
    PlayingLive: "Playing live · {0} × real time", "现场演奏 · {0} 倍实时";
    MakingSound: "Playing while it is made · {0} × real time", "边生成边播放 · {0} 倍实时";
    PlayingTake: "Playing", "正在播放";
    SoundModelTip: "The network that plays", "演奏所用的网络";
    KeyPiano: "Play notes", "演奏音符";
    KeyOctave: "An octave lower, higher", "低八度、高八度";
    KeyPlayTake: "Play the take, or stop", "播放录音或停止";

    // What happened
    NothingToRegenerate: "Nothing here was generated yet", "这里还没有生成过内容";
    ModelNotReady: "The model is still being opened; try again when it is ready", "模型正在打开，就绪后请再试一次";
    OtherModelWrote: "{0} wrote this; open it again to branch from here", "这段由 {0} 所写，请重新打开该模型再从此处分支";
    DocumentDeleted: "“{0}” was deleted.", "已删除“{0}”。";
    FileChanged: "“{0}” on the disk is not the file that was opened or saved here last, so it was left as it is. Save the text under another name, or open the file to see what is in it.", "磁盘上的“{0}”与上次打开或保存的不同，因此没有覆盖。请另存为其他名称，或打开该文件查看内容。";
    ChatSavedAs: "The conversation was saved as {0}.", "对话已保存为 {0}。";
    SavedAs: "Saved as {0}, with its recipe beside it.", "已保存为 {0}，配方在其旁边。";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fonts;

    #[test]
    fn both_languages_are_complete_and_can_be_drawn() {
        for key in Key::ALL {
            let (en, zh) = key.both();
            assert!(!en.trim().is_empty() && !zh.trim().is_empty(), "{key:?}");
            for i in 0..6 {
                let place = format!("{{{i}}}");
                assert_eq!(en.contains(&place), zh.contains(&place), "{key:?} {place}");
            }
            assert!(!en.chars().any(|c| ('\u{3000}'..'\u{ff00}').contains(&c)), "{key:?}");
        }
        let all: String = Key::ALL.iter().flat_map(|key| [key.both().0, key.both().1]).collect();
        assert_eq!(fonts::missing(&all), "");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            ["0", "999", "1,000", "1,234,567"],
            [0, 999, 1000, 1_234_567].map(count).each_ref().map(String::as_str)
        );
        assert_eq!(size(98_362_432), "98 MB");
        assert_eq!(size(1_400_000_000), "1.4 GB");
        assert_eq!(weights(134_515_008), "135M");
        assert_eq!(weights(1_711_376_384), "1.7B");
        assert_eq!(duration(Lang::En, 0.2), "1 s");
        assert_eq!(duration(Lang::Zh, 600.0), "10 分钟");
        assert_eq!(fill(Lang::En, Key::Write, &["x"]), "Write");
    }
}
