"""System turns that chat templates write by themselves where the messages have none, each as a pattern of the whole.

To add a template's line, add it to its format. A line that a caller sends is taken for the template's all the same: the
text does not say whose it is.
"""

_MISTRAL = r"a Large Language Model \(LLM\) created by Mistral AI, a French startup headquartered in Paris\..*"
_CURIOUS = (
    r"A chat between a curious (?:user|human) and an artificial intelligence assistant\. The assistant gives helpful, "
    r"detailed, and polite answers to the (?:user|human)'s questions\."
)

CHATML = (
    r"",
    r"You are Qwen, created by Alibaba Cloud\. You are a helpful assistant\.",
    r"You are a helpful assistant\.?",
    r"You are a helpful AI assistant\.",
    r"Please reason step by step, and put your final answer within \\boxed\{\}\.",
    r"You are a helpful AI assistant named SmolLM, trained by Hugging Face\.?",
    r"You are O[Ll][Mm]o, a helpful (?:function-calling )?AI assistant built by Ai2\.(?: Your date cutoff is .{4,20}, "
    r"and your model weights are available at https://huggingface\.co/allenai\.)?",
    r"You are a helpful function-calling AI assistant\.",
    r"You are a function calling AI model\. You are provided with function signatures within <tools></tools> XML "
    r"tags\..*",
    r"You are MiMo, an AI assistant developed by Xiaomi\.",
    r"You are OpenCoder, created by OpenCoder Team\.",
    r"You are an AI assistant whose name is InternLM \(书生·浦语\)\..*中文\.",
    r"你是书生·万象，英文名是InternVL，是由上海人工智能实验室.*多模态大语言模型。",
    r"You are DBRX, created by Databricks\. You were last updated in .*",
    r"You are a helpful assistant\. You can accept audio and text input and output voice and text\.",
    r"Du bist ein freundlicher und hilfsbereiter KI-Assistent\.",
)
PHI4 = (r"You are Phi, a language model trained by Microsoft to help users\. .*",)
KIMI = (
    r"You are a helpful assistant\.?",
    r"You are a helpful assistant provided by Moonshot-AI\.",
    r"You are Kimi, an AI assistant created by Moonshot AI\.?",
)
LLAMA2 = (
    r"You are a helpful, respectful and honest assistant\. Always answer as helpfully as possible, while being safe\..*"
    r"please don't share false information\.",
    r"You are a helpful assistant\. 你是一个乐于助人的助手。",
)
MISTRAL = (
    rf"You are (?:Mistral Small [\d.]+|Mistral-[\w.-]+|Ministral-[\w.-]+|Magistral[\w. -]*), {_MISTRAL}"
    r'(?:"Where do you travel from\?"\)|cannot perform the requested action at the moment\.)',
    r"You are Devstral, a helpful agentic model trained by Mistral AI and using the OpenHands scaffold\..*"
    r"</TROUBLESHOOTING>",
)
GEMMA4 = (r"<\|think\|>\n?", r"<\|think\|>You are a helpful assistant\.")
ZEPHYR = (r"", r"You are Zephyr, a helpful assistant\.")
TULU = (_CURIOUS,)
GLM4 = (r"你是一个名为 (?:ChatGLM|GLM-4) 的人工智能助手。.*",)
COMMAND_R = (
    r"You are Command-R, a brilliant, sophisticated, AI-assistant .* You are trained by Cohere\.",
    r"You are Aya, a brilliant, sophisticated, multilingual AI-assistant .* built by Cohere For AI\.",
)
GRANITE = (
    r"(?:Knowledge Cutoff Date: [^\n.]*\.\s*)?(?:Today's Date: [^\n.]*\.\s*)?You are Granite, developed by IBM\..*",
    r"You are Granite, an AI language model developed by IBM in 2024\.",
    r"You are a helpful assistant\. Please ensure responses are professional, accurate, and safe\.",
)
VICUNA = (_CURIOUS,)
ALPACA = (
    r"Below is an instruction that describes a task(?:, paired with an input that provides further context)?\. "
    r"Write a response that appropriately completes the request\.",
    r"Below are some instructions that describe some tasks\. Write responses that appropriately complete each "
    r"request\.",
)
